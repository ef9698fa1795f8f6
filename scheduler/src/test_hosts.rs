//! Hosts and flavors for this crate's tests.

use cuttle_model::clock::Timestamp;
use cuttle_model::flavor::{Flavor, FlavorId};
use cuttle_model::host::{Administrative, Host, HostResources, VirtType};
use cuttle_model::ids::HostId;

/// An enabled host that was just heard of, with 8 CPU threads and ratios of 1.
pub fn host(name: &str, ram_mib: u64) -> Host {
    Host {
        id: HostId::from_uuid(uuid::Uuid::new_v5(&uuid::Uuid::nil(), name.as_bytes())),
        name: name.parse().unwrap(),
        administrative: Administrative::Enabled,
        resources: Some(HostResources {
            vcpus: 8,
            ram_mib,
            reserved_ram_mib: 0,
            cpu_ratio_milli: 1000,
            ram_ratio_milli: 1000,
            virt_type: VirtType::Kvm,
            libvirt_version: String::new(),
            hypervisor_version: String::new(),
            architecture: "x86_64".into(),
        }),
        boot_id: None,
        last_seen_at: Some(Timestamp::from_micros(0)),
        ceph_generation: 1,
        created_at: Timestamp::from_micros(0),
    }
}

/// A flavor without disks.
pub fn flavor(vcpus: u32, ram_mib: u64) -> Flavor {
    Flavor {
        id: FlavorId("f".into()),
        name: "f".into(),
        description: None,
        vcpus,
        ram_mib,
        disk_gib: 0,
        ephemeral_gib: 0,
        swap_mib: 0,
        is_public: true,
        is_disabled: false,
        extra_specs: Default::default(),
    }
}

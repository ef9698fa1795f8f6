//! Hosts, aggregates and flavors for this crate's tests.

use std::collections::BTreeMap;

use cuttle_model::aggregate::Aggregate;
use cuttle_model::clock::Timestamp;
use cuttle_model::flavor::{Flavor, FlavorId};
use cuttle_model::host::{Administrative, Host, HostResources, VirtType};
use cuttle_model::ids::{AggregateId, HostId};
use uuid::Uuid;

use crate::filters::{Filter, passes};
use crate::{HostInput, Request, Settings, Snapshot, World};

/// An enabled host that was just heard of, with 8 CPU threads and ratios of 1.
pub fn host(name: &str, ram_mib: u64) -> Host {
    Host {
        id: HostId::from_uuid(Uuid::new_v5(&Uuid::nil(), name.as_bytes())),
        name: name.parse().unwrap(),
        administrative: Administrative::Enabled,
        resources: Some(HostResources {
            vcpus: 8,
            ram_mib,
            reserved_ram_mib: 0,
            cpu_ratio_milli: 1000,
            ram_ratio_milli: 1000,
            virt_type: VirtType::Kvm,
            libvirt_version: "11.3.0".into(),
            hypervisor_version: "10.0.2".into(),
            architecture: "x86_64".into(),
            agent: Default::default(),
        }),
        boot_id: None,
        last_seen_at: Some(Timestamp::from_micros(0)),
        ceph_generation: 1,
        created_at: Timestamp::from_micros(0),
    }
}

/// The host with nothing on it.
pub fn input(name: &str, ram_mib: u64) -> HostInput {
    HostInput::new(host(name, ram_mib), Default::default())
}

/// An aggregate with that metadata, and no hosts.
pub fn aggregate(name: &str, metadata: &[(&str, &str)]) -> Aggregate {
    let id = Uuid::new_v5(&Uuid::nil(), name.as_bytes());
    Aggregate {
        number: i64::from(id.as_fields().0),
        id: AggregateId::from_uuid(id),
        name: name.into(),
        metadata: texts(metadata),
        hosts: Vec::new(),
        created_at: Timestamp::from_micros(0),
        updated_at: None,
    }
}

/// Keys and values.
pub fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
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

/// A world of these hosts at the time 0, for a while.
pub fn with_world<T>(inputs: Vec<HostInput>, aggregates: &[Aggregate], ask: impl FnOnce(&World<'_>) -> T) -> T {
    let settings = Settings::default();
    let snapshot = Snapshot::new(inputs, aggregates, &settings);
    ask(&World {
        snapshot: &snapshot,
        now: Timestamp::from_micros(0),
        down_after: std::time::Duration::from_secs(10),
        pool: None,
        settings: &settings,
    })
}

/// Does the filter let a host pass that is in these aggregates?
pub fn lets_pass(filter: Filter, input: HostInput, aggregates: &[Aggregate], request: &Request<'_>) -> bool {
    let mut aggregates = aggregates.to_vec();
    aggregates.iter_mut().for_each(|aggregate| aggregate.hosts = vec![input.host.id]);
    with_world(vec![input], &aggregates, |world| passes(filter, world, request, 0))
}

/// A request for a small instance.
pub fn request(flavor: &Flavor) -> Request<'_> {
    Request::new(cuttle_model::ids::ProjectId::from_uuid(Uuid::nil()), flavor)
}

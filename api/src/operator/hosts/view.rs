//! How a host looks to operators.

use cuttle_database::Candidate;
use cuttle_model::capacity::Usage;
use cuttle_model::host::{Host, HostResources};
use serde_json::{Value, json};

use crate::compute::hosts::{administrative, is_up};
use crate::shared::Shared;

pub fn host(shared: &Shared, found: &Candidate) -> Value {
    let Candidate { host, usage, .. } = found;
    let (status, reason) = administrative(host);
    json!({
        "id": host.id,
        "name": host.name,
        "state": state(shared, host),
        "status": status,
        "disabled_reason": reason,
        "last_seen_at": host.last_seen_at.map(|seen| seen.to_micros_z()),
        "created_at": host.created_at.to_micros_z(),
        "boot_id": host.boot_id,
        "ceph_client": host.ceph_client(),
        "instances": usage.instances,
        "resources": host.resources.as_ref().map(|resources| view_of(resources, usage)),
    })
}

/// `new`: its agent has never said hello.
fn state(shared: &Shared, host: &Host) -> &'static str {
    match (host.last_seen_at, is_up(shared, host)) {
        (None, _) => "new",
        (Some(_), true) => "up",
        (Some(_), false) => "down",
    }
}

fn view_of(resources: &HostResources, usage: &Usage) -> Value {
    json!({
        "vcpus": { "present": resources.vcpus, "limit": resources.vcpu_limit(), "claimed": usage.vcpus },
        "ram_mib": {
            "present": resources.ram_mib,
            "reserved": resources.reserved_ram_mib,
            "limit": resources.ram_limit_mib(),
            "claimed": usage.ram_mib,
        },
        "virt_type": resources.virt_type.as_str(),
        "architecture": resources.architecture,
        "libvirt_version": resources.libvirt_version,
        "qemu_version": resources.hypervisor_version,
    })
}

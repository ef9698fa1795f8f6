//! How a host looks to operators.

use cuttle_database::{Candidate, HostStorage};
use cuttle_model::capacity::Usage;
use cuttle_model::host::{Host, HostResources};
use cuttle_model::storage_health::{Latency, PoolHealth};
use serde_json::{Value, json};

use crate::compute::hosts::{administrative, is_up};
use crate::shared::Shared;

pub fn host(shared: &Shared, found: &Candidate) -> Value {
    let Candidate { host, usage, storage_quality, .. } = found;
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
        // How well it reaches storage: 1 is well, 0 not at all; null where nothing was measured yet.
        "storage_quality": storage_quality.map(|quality| f64::from(quality) / 1000.0),
        "resources": host.resources.as_ref().map(|resources| view_of(resources, usage)),
    })
}

/// Where a host stands, and how well it reaches storage.
pub fn storage(found: &HostStorage) -> Value {
    let milliseconds = |latency: Latency| {
        let ms = |us: u64| us as f64 / 1000.0;
        json!({ "p50_ms": ms(latency.p50_us), "p99_ms": ms(latency.p99_us), "samples": latency.samples })
    };
    let pool = |pool: &PoolHealth| {
        json!({
            "pool": pool.pool,
            "read": pool.read.map(milliseconds),
            "write": pool.write.map(milliseconds),
            "failed": pool.failed,
            "unanswered_ms": pool.unanswered_ms,
            "problem": pool.problem,
        })
    };
    let health = found.health.as_ref();
    json!({
        "state": health.map(|health| health.state.as_str()),
        "since": health.map(|health| health.since.to_micros_z()),
        "reported_at": found.reported_at.map(|at| at.to_micros_z()),
        "crush_location": health.and_then(|health| health.crush_location.as_ref()),
        "configured_crush_location": found.standing.said,
        "localizes_reads": found.standing.localizes_reads,
        "pools": health.map(|health| health.pools.iter().map(pool).collect::<Vec<_>>()).unwrap_or_default(),
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
        "agent_version": resources.agent.version,
        "clock_ahead_ms": resources.agent.clock_ahead_ms,
    })
}

//! `cuttle host show`.

use jiff::Timestamp;

use crate::host::wire::{Host, Latency, Pool, Storage};
use crate::output::{fields, mebibytes};
use crate::session::{Session, member};
use crate::time::{ago, point};
use crate::{Done, Error};

pub async fn run(session: &Session, name: &str) -> Result<Done, Error> {
    let answer = session.client.get(&["hosts", name], &[]).await?;
    session.show(member(answer, "host"), human)
}

/// All that is known of a host.
pub fn human(host: Host, now: Timestamp) -> String {
    let status = match &host.disabled_reason {
        Some(reason) => format!("{} ({reason})", host.status),
        None => host.status.clone(),
    };
    let mut pairs = vec![
        ("name", host.name),
        ("id", host.id),
        ("state", host.state),
        ("status", status),
        ("seen", ago(now, host.last_seen_at)),
        ("added", point(Some(host.created_at))),
        ("boot", host.boot_id.unwrap_or_default()),
        ("certificate until", point(host.certificate_expires_at)),
        ("ceph client", host.configured_ceph_client.unwrap_or(host.ceph_client)),
        ("older ceph clients", host.older_ceph_clients.join(", ")),
        ("instances", host.instances.to_string()),
    ];
    if let Some(found) = host.resources {
        let (cpu, ram) = (found.vcpus, found.ram_mib);
        pairs.extend([
            ("virtual CPUs", format!("{} claimed of {} ({} threads)", cpu.claimed, cpu.limit, cpu.present)),
            (
                "memory",
                format!(
                    "{} claimed of {} ({} with {} kept for the host)",
                    mebibytes(ram.claimed),
                    mebibytes(ram.limit),
                    mebibytes(ram.present),
                    mebibytes(ram.reserved)
                ),
            ),
            ("virtualization", found.virt_type),
            ("architecture", found.architecture),
            ("agent", found.agent_version),
            ("libvirt", found.libvirt_version),
            ("QEMU", found.qemu_version),
        ]);
    }
    let storage = host.storage.map(|storage| about(storage, host.storage_quality, now)).unwrap_or_default();
    pairs.extend(storage.iter().map(|(name, text)| (name.as_str(), text.clone())));
    fields(pairs)
}

/// Where it stands, and how well it reaches storage.
fn about(storage: Storage, quality: Option<f64>, now: Timestamp) -> Vec<(String, String)> {
    let state = storage.state.map_or_else(
        || "not measured yet".to_owned(),
        |state| format!("{state} since {} (quality {:.2})", ago(now, storage.since), quality.unwrap_or(1.0)),
    );
    let place = match (storage.crush_location, storage.localizes_reads) {
        (Some(location), true) => format!("{location}; guests read from the nearest replica"),
        (Some(location), false) => location,
        (None, _) => "not in CRUSH".to_owned(),
    };
    let pools = storage.pools.into_iter().map(|pool| (format!("pool {}", pool.pool), measured(&pool)));
    [("storage".to_owned(), state), ("stands at".to_owned(), place)].into_iter().chain(pools).collect()
}

fn measured(pool: &Pool) -> String {
    let took = |name: &str, latency: Option<Latency>| {
        latency.map(|latency| format!("{name} p50 {:.1} ms, p99 {:.1} ms", latency.p50_ms, latency.p99_ms))
    };
    let unanswered = (pool.unanswered_ms >= 1000).then(|| format!("no answer for {} s", pool.unanswered_ms / 1000));
    let failed = (pool.failed > 0).then(|| format!("{} failed", pool.failed));
    let problem = pool.problem.as_ref().map(|problem| format!("cannot be measured: {problem}"));
    let parts = [unanswered, took("reads", pool.read), took("writes", pool.write), failed, problem];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn storage_is_shown_pool_by_pool() {
        let storage = json!({"state": "slow", "since": "2026-11-21T11:59:00Z", "crush_location": "root=default rack=rack1",
            "localizes_reads": true, "pools": [
                {"pool": "vms", "read": {"p50_ms": 1.25, "p99_ms": 9.0}, "write": {"p50_ms": 4.0, "p99_ms": 2100.0},
                 "failed": 0, "unanswered_ms": 2100, "problem": null},
                {"pool": "images", "read": null, "write": null, "failed": 2, "unanswered_ms": 0, "problem": "no rights"}]});
        let shown = about(serde_json::from_value(storage).unwrap(), Some(0.45), "2026-11-21T12:00:00Z".parse().unwrap());
        let text = shown.iter().map(|(name, text)| format!("{name}: {text}\n")).collect::<String>();
        assert!(text.starts_with("storage: slow since "), "{text}");
        assert!(
            text.contains("(quality 0.45)\nstands at: root=default rack=rack1; guests read from the nearest replica\n"),
            "{text}"
        );
        assert!(text.contains("pool vms: no answer for 2 s; reads p50 1.2 ms, p99 9.0 ms; writes p50 4.0 ms, p99 2100.0 ms\n"));
        assert!(text.contains("pool images: 2 failed; cannot be measured: no rights\n"), "{text}");
    }
}

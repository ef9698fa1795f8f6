//! Ceph as the control plane sees it: what the monitors say, the pools, and what we may do.

use cuttle_operations::Settings;
use cuttle_rbd_backend::{Cluster, Error, Health, PoolState, Severity};

use super::check::{Check, Status, timed};
use crate::error::chain;

const ADVICE: &str = "look whether the monitors run and can be reached from here ('ceph -s' on one of them)";
/// Hosts' identities begin so.
const CLIENTS: &str = "client.cuttle.";

pub async fn examine(ceph: &Cluster, settings: &Settings) -> Vec<Check> {
    let pools = [&settings.images_pool, &settings.vms_pool, &settings.volumes_pool].map(String::as_str);
    let all = [&settings.images_pool, &settings.vms_pool, &settings.volumes_pool, &settings.lease_pool].map(String::as_str);
    let (health, states, rights) = tokio::join!(
        timed("ceph", ADVICE, async { looked("ceph", ceph.health().await, health) }),
        timed("ceph pools", ADVICE, async {
            looked("ceph pools", ceph.pool_states(&all).await, |states| {
                states.iter().map(|state| pool(state, settings)).collect()
            })
        }),
        timed("ceph rights", ADVICE, async { rights(ceph, &pools).await }),
    );
    [health, states, rights].concat()
}

fn looked<T>(name: &str, result: Result<T, Error>, judge: impl FnOnce(T) -> Vec<Check>) -> Vec<Check> {
    match result {
        Ok(found) => judge(found),
        Err(error) => vec![Check::broken(name, chain(&error), ADVICE)],
    }
}

fn health(health: Health) -> Vec<Check> {
    let summary = format!(
        "{} of {} monitors in quorum, {} of {} OSDs up, {} in",
        health.monitors_in_quorum, health.monitors, health.osds_up, health.osds, health.osds_in
    );
    let complaints = health.checks.iter().map(|complaint| {
        let status = match complaint.severity {
            Severity::Ok => Status::Ok,
            Severity::Warning => Status::Warning,
            Severity::Error => Status::Broken,
        };
        let details = complaint.details.first().map(|first| format!(" ({first})")).unwrap_or_default();
        let advice = complaint.advice().unwrap_or("'ceph health detail' says more");
        let detail = format!("{}{details}", complaint.summary);
        Check { status, ..Check::warning(format!("ceph {}", complaint.code), detail, advice) }
    });
    std::iter::once(Check::ok("ceph", summary)).chain(complaints).collect()
}

fn pool(state: &PoolState, settings: &Settings) -> Check {
    let name = format!("ceph pool {}", state.name);
    let Some(capacity) = &state.capacity else {
        return Check::broken(name, "it does not exist", "run 'cuttle-api init', which makes the pools that are missing");
    };
    let gib = |bytes: u64| bytes >> 30;
    let room = format!(
        "{} GiB stored, {} GiB free, {} replicas (at least {})",
        gib(capacity.stored_bytes),
        gib(capacity.max_avail_bytes),
        state.size,
        state.min_size
    );
    if let Some(because) = capacity.full {
        return Check::broken(
            name,
            format!("full: {because}; {room}"),
            "delete instances or images and let the trash be purged, raise the quota, or add OSDs; guests that write wait",
        );
    }
    if capacity.nearfull {
        return Check::warning(name, format!("nearly full: {room}"), "free room or add OSDs before guests that write must wait");
    }
    let for_images = state.name != settings.lease_pool;
    if for_images && !state.applications.iter().any(|application| application == "rbd") {
        return Check::warning(name, format!("it is not marked as RBD's; {room}"), "run 'cuttle-api init', which marks it");
    }
    if state.size < 2 {
        return Check::warning(
            name,
            format!("one replica: a lost OSD loses disks; {room}"),
            format!("ceph osd pool set {} size 3", state.name),
        );
    }
    Check::ok(name, room)
}

async fn rights(ceph: &Cluster, pools: &[&str]) -> Vec<Check> {
    match ceph.check_caps(pools, CLIENTS).await {
        Err(error) => vec![Check::broken("ceph rights", chain(&error), ADVICE)],
        Ok(missing) if missing.is_empty() => {
            vec![Check::ok("ceph rights", format!("{} may do all that is needed", ceph.client_name()))]
        }
        Ok(missing) => missing.iter().map(|right| Check::broken("ceph rights", right.to_string(), right.remedy())).collect(),
    }
}

//! Ceph as the control plane sees it: what the monitors say, the pools, whether the OSDs answer, and what we may do.

use std::time::Duration;

use cuttle_operations::Settings;
use cuttle_rbd_backend::{Class, Cluster, Error, Health, PoolState, Severity};

use super::check::{Check, Status, timed};
use crate::error::chain;

const ADVICE: &str = "look whether the monitors run and can be reached from here ('ceph -s' on one of them)";
const STORAGE_ADVICE: &str = "requests to OSDs hang: 'ceph health detail' and 'ceph pg dump_stuck' name OSDs that are slow or away; \
                              guests wait meanwhile, and operations are tried again";
/// How long an OSD may take for a small read.
const ANSWER: Duration = Duration::from_secs(5);
/// Asking for what is not there is as much work for an OSD as asking for what is.
const NOBODYS_IMAGE: &str = "cuttle-doctor";
/// Hosts' identities begin so.
const CLIENTS: &str = "client.cuttle.";

pub async fn examine(ceph: &Cluster, settings: &Settings) -> Vec<Check> {
    let pools = [&settings.images_pool, &settings.vms_pool, &settings.volumes_pool].map(String::as_str);
    let all = [&settings.images_pool, &settings.vms_pool, &settings.volumes_pool, &settings.lease_pool].map(String::as_str);
    let (health, states, (storage, rights)) = tokio::join!(
        timed("ceph", ADVICE, async { looked("ceph", ceph.health().await, health) }),
        timed("ceph pools", ADVICE, async {
            looked("ceph pools", ceph.pool_states(&all).await, |states| {
                states.iter().map(|state| pool(state, settings)).collect()
            })
        }),
        async {
            let storage = timed("ceph storage", STORAGE_ADVICE, storage(ceph, &pools)).await;
            // Rights are found out by asking the OSDs too: one complaint about them is enough.
            match storage.iter().all(|check| check.status == Status::Ok) {
                true => (storage, timed("ceph rights", ADVICE, rights(ceph, &pools)).await),
                false => (storage, Vec::new()),
            }
        },
    );
    [health, states, storage, rights].concat()
}

/// Whether the OSDs answer: the monitors say that all is well until they hear otherwise.
async fn storage(ceph: &Cluster, pools: &[&str]) -> Vec<Check> {
    let impatient = ceph.with_timeout(ANSWER);
    let asked = pools.iter().map(|pool| {
        let pool = impatient.pool(pool);
        async move { pool.info(NOBODYS_IMAGE).await }
    });
    let stuck = ceph.stats().stuck;
    match futures::future::try_join_all(asked).await {
        // A pool that is not there is said elsewhere.
        Err(error) if error.class() == Class::Retry => {
            let before = match stuck {
                0 => String::new(),
                count => format!("; {count} earlier calls of this control node wait too"),
            };
            vec![Check::broken("ceph storage", format!("{}{before}", chain(&error)), STORAGE_ADVICE)]
        }
        Ok(_) | Err(_) if stuck > 0 => {
            let detail = format!("it answers, but {stuck} earlier calls of this control node wait longer than they should");
            vec![Check::warning("ceph storage", detail, STORAGE_ADVICE)]
        }
        Ok(_) | Err(_) => vec![Check::ok("ceph storage", "the OSDs answer")],
    }
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

//! What the control plane keeps fresh by itself: when hosts were last heard of, the pool's room, and where
//! Ceph's monitors are.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use cuttle_model::capacity::{PoolAccount, PoolFull};
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::HostId;
use cuttle_model::storage_health::StorageHealth;
use cuttle_rbd_backend::{FullBecause, PoolCapacity};
use tokio_util::sync::CancellationToken;

use crate::{Control, host_keys, hosts, placement};

/// How often Ceph is asked for the pool's room and for its monitors.
const CEPH_INTERVAL: Duration = Duration::from_secs(5);

/// Beats that were not stored yet.
#[derive(Default)]
pub(crate) struct Beats(Mutex<HashMap<HostId, Heard>>);

/// What was heard of a host.
struct Heard {
    at: Timestamp,
    /// The last that it said of storage, and when.
    storage: Option<(StorageHealth, Timestamp)>,
}

impl Beats {
    pub(crate) fn note(&self, host: HostId, at: Timestamp, storage: Option<StorageHealth>) {
        let mut beats = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let heard = beats.entry(host).or_insert(Heard { at, storage: None });
        heard.at = at;
        heard.storage = storage.map(|storage| (storage, at)).or(heard.storage.take());
    }

    fn take(&self) -> HashMap<HostId, Heard> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

/// Stores beats and looks at Ceph until `shutdown`.
pub(crate) async fn run(control: &Control, shutdown: &CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = store_beats(control) => {}
        () = look_at_ceph(control) => {}
        () = host_keys::watch(control) => {}
        () = placement::watch_locality(control) => {}
    }
}

async fn store_beats(control: &Control) {
    let mut tick = tokio::time::interval(Duration::from_millis(control.settings().beat_interval_ms.max(100)));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let beats = control.beats().take();
        if beats.is_empty() {
            continue;
        }
        // What is lost here is a second old; the next beats say more, and of storage in a few seconds.
        let seen: Vec<_> = beats.iter().map(|(host, heard)| (*host, heard.at)).collect();
        if let Err(error) = control.database().record_beats(&seen).await {
            tracing::warn!(%error, "beats could not be stored");
        }
        let said = beats.into_iter().filter_map(|(host, heard)| heard.storage.map(|(health, at)| (host, health, at)));
        if let Err(error) = control.database().record_storage_health(&said.collect::<Vec<_>>()).await {
            tracing::warn!(%error, "it could not be stored how well hosts reach storage");
        }
    }
}

async fn look_at_ceph(control: &Control) {
    let mut tick = tokio::time::interval(CEPH_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let pool = &control.settings().vms_pool;
        let account = control.ceph().pool_capacity(pool).await.map(account_of);
        match &account {
            Ok(account) => warn_of_fullness(pool, control.pool_account(), *account),
            Err(error) => tracing::warn!(%error, "the pool's room could not be read"),
        }
        control.set_pool_account(account.ok());
        if let Err(error) = hosts::read_ceph_connection(control).await {
            tracing::warn!(%error, "the monitors' addresses could not be read");
        }
    }
}

fn account_of(capacity: PoolCapacity) -> PoolAccount {
    PoolAccount {
        max_avail_bytes: capacity.max_avail_bytes,
        stored_bytes: capacity.stored_bytes,
        full: capacity.full.map(|because| match because {
            FullBecause::Quota => PoolFull::Quota,
            FullBecause::Osd => PoolFull::Osd,
        }),
        nearfull: capacity.nearfull,
    }
}

/// Says it when it begins and when it ends, and not every few seconds.
fn warn_of_fullness(pool: &str, before: Option<PoolAccount>, now: PoolAccount) {
    let state = |account: PoolAccount| (account.full, account.nearfull);
    if before.map(state) == Some(state(now)) {
        return;
    }
    match (now.full, now.nearfull) {
        (Some(full), _) => tracing::warn!(pool, reason = full.reason(), "the pool is full: no disk can be made"),
        (None, true) => {
            tracing::warn!(pool, max_avail_bytes = now.max_avail_bytes, "the pool is nearly full");
        }
        (None, false) if before.is_some_and(|before| before.full.is_some() || before.nearfull) => {
            tracing::info!(pool, max_avail_bytes = now.max_avail_bytes, "the pool has room again");
        }
        (None, false) => {}
    }
}

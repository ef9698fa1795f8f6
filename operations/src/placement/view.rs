//! The hosts as the database has them, prepared for choices; and the view that the caching driver keeps.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use cuttle_model::clock::Timestamp;
use cuttle_model::ids::HostId;
use cuttle_scheduler::{Driver, HostInput, Purpose, Snapshot, World};

use crate::{Control, RequestError};

/// All hosts, and what their aggregates said when they were read.
pub(crate) struct View {
    pub snapshot: Snapshot,
    /// The count of changes of each host's aggregates. It is read with the host and before the aggregates,
    /// so a change between the two is noticed by the claim.
    pub rules: HashMap<HostId, i64>,
    read_at: Timestamp,
}

impl View {
    /// Reads it: one query for the hosts and one for the aggregates.
    pub async fn load(control: &Control) -> Result<Self, RequestError> {
        let read_at = control.now();
        let candidates = control.database().candidates().await?;
        let aggregates = control.database().list_aggregates().await?;
        let rules = candidates.iter().map(|candidate| (candidate.host.id, candidate.rules)).collect();
        let inputs = candidates.into_iter().map(|candidate| HostInput {
            io_ops: candidate.io_ops,
            failed_builds: candidate.failed_builds,
            // Of a host that has said nothing yet nothing bad is known.
            storage_health: candidate.storage_quality.map_or(1.0, |quality| quality as f32 / 1000.0),
            ..HostInput::new(candidate.host, candidate.usage)
        });
        let settings = control.settings();
        let mut snapshot = Snapshot::new(inputs.collect(), &aggregates, &settings.scheduler);
        let uses = [(settings.vms_pool.as_str(), Purpose::Disk), (settings.images_pool.as_str(), Purpose::Parent)];
        snapshot.look_up(&control.locality().known().nearness, &uses);
        Ok(Self { snapshot, rules, read_at })
    }

    /// The hosts at this time.
    pub fn world<'a>(&'a self, control: &'a Control) -> World<'a> {
        World {
            snapshot: &self.snapshot,
            now: control.now(),
            down_after: control.settings().host_down_after(),
            pool: control.pool_account(),
            settings: &control.settings().scheduler,
        }
    }
}

/// The last view, for the caching driver.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Option<View>>);

impl Cache {
    /// Asks the kept view, if there is one that is young enough.
    pub fn with<T>(&self, control: &Control, ask: impl FnOnce(&mut View) -> T) -> Option<T> {
        let age = Duration::from_millis(control.settings().scheduler.cache_age_ms);
        let mut kept = self.lock();
        let young = kept.as_mut().filter(|view| control.now().since(view.read_at) <= age);
        young.map(ask)
    }

    /// Keeps a view for the next.
    pub fn keep(&self, control: &Control, view: View) {
        if control.settings().scheduler.driver == Driver::Caching {
            *self.lock() = Some(view);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<View>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

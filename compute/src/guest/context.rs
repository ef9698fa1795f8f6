//! What actions work with.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;

use cuttle_compute_protocol::CephConnection;
use cuttle_model::clock::Clock;

use super::Known;
use crate::control::Outbox;
use crate::domain_xml::MachineSettings;
use crate::epochs::Epochs;
use crate::hypervisor::Hypervisor;
use crate::librbd_conf::LibrbdConf;
use crate::news::News;
use crate::secret::CephAccess;
use crate::state_dir::StateDir;
use crate::storage_health::Health;

/// The parts.
pub struct Context {
    pub hypervisor: Arc<dyn Hypervisor>,
    pub state: StateDir,
    pub epochs: Epochs,
    pub clock: Arc<dyn Clock>,
    pub machine: MachineSettings,
    /// How Ceph is reached, as the control plane last said.
    pub storage: Storage,
    /// What the control plane was told of guests.
    pub known: Known,
    pub outbox: Arc<Outbox>,
    /// What guests' librbd is told of this host.
    pub librbd_conf: LibrbdConf,
    /// How well the host reaches storage.
    pub health: Health,
    /// What operators should hear of.
    pub news: News,
    /// The most that a console log sends.
    pub console_max_bytes: u64,
    /// Between two presses of a power button.
    pub press_interval: Duration,
}

/// How Ceph is reached; nothing until the control plane's first answer.
#[derive(Default)]
pub struct Storage(RwLock<Ways>);

#[derive(Default)]
struct Ways {
    present: Option<Arc<Reach>>,
    /// Earlier ones that somebody may still be starting a guest with.
    earlier: Vec<Weak<Reach>>,
}

/// The monitors, and as whom.
#[derive(Debug, Clone)]
pub struct Reach {
    pub ceph: CephConnection,
    pub access: CephAccess,
}

impl Storage {
    /// The present answer. Whoever starts a guest with it holds it until the guest is there.
    pub fn get(&self) -> Option<Arc<Reach>> {
        self.read().present.clone()
    }

    /// Replaces it.
    pub fn set(&self, reach: Reach) {
        self.write().replace(Some(reach));
    }

    /// The control plane does not want this host any more: nothing is started.
    pub fn clear(&self) {
        self.write().replace(None);
    }

    /// Replaces the monitors. Guests that are created next are given these.
    pub fn set_ceph(&self, ceph: CephConnection) {
        let mut ways = self.write();
        if let Some(reach) = ways.present.clone()
            && reach.ceph != ceph
        {
            tracing::info!(monitors = ceph.monitors.len(), "the Ceph monitors changed");
            ways.replace(Some(Reach { ceph, access: reach.access.clone() }));
        }
    }

    /// The Ceph clients of the present answer and of those with which a guest is being started.
    pub fn ceph_clients(&self) -> Vec<String> {
        let ways = self.read();
        let earlier = ways.earlier.iter().filter_map(Weak::upgrade);
        let mut clients: Vec<String> =
            ways.present.iter().cloned().chain(earlier).map(|reach| reach.access.client().to_owned()).collect();
        clients.sort();
        clients.dedup();
        clients
    }

    fn read(&self) -> RwLockReadGuard<'_, Ways> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Ways> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ways {
    fn replace(&mut self, next: Option<Reach>) {
        self.earlier.retain(|earlier| earlier.strong_count() > 0);
        let earlier = std::mem::replace(&mut self.present, next.map(Arc::new));
        self.earlier.extend(earlier.iter().map(Arc::downgrade));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn reach(client: &str) -> Reach {
        let access = CephAccess::Configured { client: client.to_owned(), secret: Uuid::nil() };
        Reach { ceph: CephConnection { fsid: Uuid::nil(), monitors: Vec::new() }, access }
    }

    #[test]
    fn a_client_is_in_use_as_long_as_a_guest_is_started_with_it() {
        let storage = Storage::default();
        assert!(storage.ceph_clients().is_empty());
        storage.set(reach("client.1"));
        let starting = storage.get();
        storage.set(reach("client.2"));
        assert_eq!(storage.ceph_clients(), ["client.1", "client.2"]);
        drop(starting);
        assert_eq!(storage.ceph_clients(), ["client.2"]);
        storage.clear();
        assert!(storage.get().is_none() && storage.ceph_clients().is_empty());
    }
}

//! What actions work with.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use cuttle_compute_protocol::CephConnection;
use cuttle_model::clock::Clock;

use super::Known;
use crate::control::Outbox;
use crate::domain_xml::MachineSettings;
use crate::epochs::Epochs;
use crate::hypervisor::Hypervisor;
use crate::secret::CephSecret;
use crate::state_dir::StateDir;

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
    /// The most that a console log sends.
    pub console_max_bytes: u64,
    /// Between two presses of a power button.
    pub press_interval: Duration,
}

/// How Ceph is reached; nothing until the control plane's first answer.
#[derive(Default)]
pub struct Storage(RwLock<Option<Reach>>);

/// The monitors, and the host's key.
#[derive(Debug, Clone)]
pub struct Reach {
    pub ceph: CephConnection,
    pub secret: CephSecret,
}

impl Storage {
    /// The present answer.
    pub fn get(&self) -> Option<Reach> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces it.
    pub fn set(&self, reach: Reach) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(reach);
    }

    /// Replaces the monitors. Guests that are created next are given these.
    pub fn set_ceph(&self, ceph: CephConnection) {
        if let Some(reach) = &mut *self.0.write().unwrap_or_else(PoisonError::into_inner)
            && reach.ceph != ceph
        {
            tracing::info!(monitors = ceph.monitors.len(), "the Ceph monitors changed");
            reach.ceph = ceph;
        }
    }
}

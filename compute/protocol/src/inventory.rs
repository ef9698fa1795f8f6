//! What is on a host, as its agent finds it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::liveness::GuestState;

/// Everything on a host that some row of the control plane should know of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Every guest of ours that has a process.
    pub guests: Vec<GuestState>,
    /// Every secret of Ceph's kind that libvirt holds, whoever put it there. Never a key.
    pub secrets: Vec<HeldSecret>,
}

/// A secret that libvirt holds, without what it hides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldSecret {
    pub uuid: Uuid,
    /// What libvirt calls its usage; see [`crate::secret_usage`].
    pub usage: String,
}

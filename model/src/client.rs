//! Who may write to an instance's disks: one record for each RADOS client, written before the client can write.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{Epoch, HostId, InstanceId};

/// A RADOS client (one opened image of one QEMU process) that may write to a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskClient {
    pub instance_id: InstanceId,
    /// The epoch in which it was allowed.
    pub epoch: Epoch,
    pub host_id: HostId,
    /// The pool of the disk.
    pub pool: String,
    /// RBD's id of the disk.
    pub image_id: String,
    /// `address:port/nonce`, as Ceph's blocklist takes it.
    pub address: String,
    pub recorded_at: Timestamp,
}

/// Why a client can no longer write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientProof {
    /// The agent said that the process is gone, and the disk has no watcher with its address.
    Gone,
    /// It is blocklisted, and every placement group is known to refuse it.
    Fenced,
}

impl ClientProof {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            ClientProof::Gone => "gone",
            ClientProof::Fenced => "fenced",
        }
    }
}

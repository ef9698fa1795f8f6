//! What an instance takes of a host, and what is left of a pool.

use serde::{Deserialize, Serialize};

use crate::flavor::Flavor;
use crate::ids::{HostId, InstanceId};

/// What an instance takes of the host that it was given. Written in the same transaction as the
/// instance, so neither exists without the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub instance_id: InstanceId,
    pub host_id: HostId,
    pub vcpus: u32,
    pub ram_mib: u64,
}

impl Claim {
    /// What an instance of this flavor takes.
    pub fn of(instance_id: InstanceId, host_id: HostId, flavor: &Flavor) -> Self {
        Self { instance_id, host_id, vcpus: flavor.vcpus, ram_mib: flavor.ram_mib }
    }
}

/// Sums over the claims on one host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub instances: u64,
    pub vcpus: u64,
    pub ram_mib: u64,
}

/// A pool's room. It is one account for all hosts: they share the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolAccount {
    /// Bytes that can still be written, after replication.
    pub max_avail_bytes: u64,
    /// Bytes that are stored, before replication.
    pub stored_bytes: u64,
    /// Why Ceph takes no more data, if it does not.
    pub full: Option<PoolFull>,
    /// It will be full soon.
    pub nearfull: bool,
}

/// What has filled a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolFull {
    /// Its own quota.
    Quota,
    /// An OSD that it lies on.
    Osd,
}

impl PoolFull {
    /// The reason, as the end of a sentence.
    pub fn reason(self) -> &'static str {
        match self {
            PoolFull::Quota => "its quota is used up",
            PoolFull::Osd => "an OSD that it lies on is full",
        }
    }
}

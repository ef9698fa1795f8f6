//! What a guest is made of: all that an agent needs to build its domain, and nothing that is secret.

use std::collections::BTreeMap;

use cuttle_model::disk::DiskRole;
use cuttle_model::disk_limits::DiskLimits;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A guest to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestSpec {
    /// The instance's name, for people who look at the domain.
    pub name: String,
    /// The project, for people who look at the domain.
    pub project_id: String,
    pub vcpus: u32,
    pub ram_mib: u64,
    /// In the order in which the guest sees them; it boots from the first.
    pub disks: Vec<GuestDisk>,
    /// Image and flavor settings that the domain honours, such as `hw_disk_bus`.
    pub properties: BTreeMap<String, String>,
}

/// A disk to attach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestDisk {
    pub role: DiskRole,
    pub pool: String,
    /// The RBD image's name.
    pub image: String,
    /// What the guest sees as the disk's serial number, 20 characters at the most.
    pub serial: String,
    /// How fast it may be used.
    pub limits: DiskLimits,
}

/// Where the Ceph cluster is. Current at each hello and in each beat's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CephConnection {
    pub fsid: Uuid,
    pub monitors: Vec<MonitorAddress>,
}

/// One monitor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MonitorAddress {
    /// An IPv4 or IPv6 address, without brackets.
    pub host: String,
    pub port: u16,
}

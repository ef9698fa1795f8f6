//! A host as the API shows it.

use jiff::Timestamp;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub struct Host {
    pub id: String,
    pub name: String,
    /// `new`, `up` or `down`.
    pub state: String,
    /// `enabled` or `disabled`.
    pub status: String,
    pub disabled_reason: Option<String>,
    pub last_seen_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub boot_id: Option<String>,
    pub ceph_client: String,
    /// Those that guests which run may still use.
    #[serde(default)]
    pub older_ceph_clients: Vec<String>,
    /// The one that the host's configuration names in the place of ours.
    #[serde(default)]
    pub configured_ceph_client: Option<String>,
    #[serde(default)]
    pub certificate_expires_at: Option<Timestamp>,
    pub instances: u64,
    /// Known once the agent has said hello.
    pub resources: Option<Resources>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Resources {
    pub vcpus: Amount,
    pub ram_mib: Amount,
    pub virt_type: String,
    pub architecture: String,
    pub libvirt_version: String,
    pub qemu_version: String,
}

/// How much there is, may be claimed, and is.
#[derive(Debug, Clone, Deserialize)]
pub struct Amount {
    pub present: u64,
    #[serde(default)]
    pub reserved: u64,
    pub limit: u64,
    pub claimed: u64,
}

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
    /// Where it stands and how well it reaches storage, once it said so.
    #[serde(default)]
    pub storage: Option<Storage>,
    /// 1 is well, 0 not at all.
    #[serde(default)]
    pub storage_quality: Option<f64>,
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
    #[serde(default)]
    pub agent_version: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Storage {
    /// `good`, `slow` or `broken`.
    pub state: Option<String>,
    pub since: Option<Timestamp>,
    /// As far as it is known.
    pub crush_location: Option<String>,
    pub localizes_reads: bool,
    pub pools: Vec<Pool>,
}

/// What was measured of a pool.
#[derive(Debug, Clone, Deserialize)]
pub struct Pool {
    pub pool: String,
    pub read: Option<Latency>,
    pub write: Option<Latency>,
    pub failed: u64,
    pub unanswered_ms: u64,
    pub problem: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Latency {
    pub p50_ms: f64,
    pub p99_ms: f64,
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

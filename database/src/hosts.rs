//! Compute hosts and how much of them is claimed.

use async_trait::async_trait;
use cuttle_model::capacity::Usage;
use cuttle_model::clock::Timestamp;
use cuttle_model::host::{Administrative, Host, HostName, HostResources};
use cuttle_model::ids::HostId;

use crate::Result;
use crate::flavors::Inserted;

/// What is known of hosts.
#[async_trait]
pub trait Hosts {
    /// Inserts a host. Its generation is the given one, or follows those of an earlier host of that name.
    async fn insert_host(&self, host: &Host) -> Result<Inserted>;

    async fn get_host(&self, id: HostId) -> Result<Option<Host>>;

    async fn find_host(&self, name: &HostName) -> Result<Option<Host>>;

    /// All hosts by name.
    async fn list_hosts(&self) -> Result<Vec<Host>>;

    /// All hosts by name, with what is claimed of them; one query.
    async fn list_hosts_with_usage(&self) -> Result<Vec<Candidate>>;

    async fn find_host_with_usage(&self, name: &HostName) -> Result<Option<Candidate>>;

    /// All hosts that said hello, with what is claimed of them; one query.
    async fn candidates(&self) -> Result<Vec<Candidate>>;

    /// Stores what an agent says of its host, and that it was heard of at `now`.
    async fn record_hello(&self, host: HostId, boot_id: &str, resources: &HostResources, now: Timestamp) -> Result<()>;

    /// Stores when hosts were last heard of, all in one transaction; an older time never replaces a newer one.
    async fn record_beats(&self, beats: &[(HostId, Timestamp)]) -> Result<()>;

    async fn set_administrative(&self, host: HostId, administrative: &Administrative) -> Result<bool>;
}

/// A host and what is claimed of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub host: Host,
    pub usage: Usage,
    /// Instances there that are being worked on.
    pub io_ops: u32,
    /// Guests that could not be made there since the last one that could.
    pub failed_builds: u32,
    /// Counts up whenever what its aggregates say changes.
    pub rules: i64,
    /// How well it reaches storage, in thousandths; `None`: nothing was measured.
    pub storage_quality: Option<u32>,
}

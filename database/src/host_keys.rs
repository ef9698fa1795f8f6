//! The end of a host, and the generations of its cephx identity.

use async_trait::async_trait;
use cuttle_model::ids::{HostId, InstanceId};

use crate::Result;

/// Removing hosts and changing their keys.
#[async_trait]
pub trait HostKeys {
    /// Begins to remove a host: it takes no instance any more, its certificates and tokens are void.
    /// [`HostRemoval::InUse`], and nothing is changed, while instances are on it.
    async fn begin_host_removal(&self, host: HostId) -> Result<HostRemoval>;

    /// Removes the host's row and what hangs on it. As refusable as [`HostKeys::begin_host_removal`].
    async fn delete_host(&self, host: HostId) -> Result<HostRemoval>;

    /// The generations of the host's cephx identity that exist; `None`: there is no such host.
    async fn ceph_generations(&self, host: HostId) -> Result<Option<Generations>>;

    /// Makes `next` the host's newest generation. False: `next` does not follow the newest.
    async fn begin_ceph_generation(&self, host: HostId, next: i64) -> Result<bool>;

    /// Notes that generations older than this one exist no more.
    async fn end_ceph_generations(&self, host: HostId, oldest: i64) -> Result<()>;

    /// Hosts with more than one generation.
    async fn hosts_with_old_keys(&self) -> Result<Vec<HostId>>;

    /// Whether an operation is under way with an instance of this host.
    async fn host_is_busy(&self, host: HostId) -> Result<bool>;

    /// Notes which cephx identity the host's configuration names in the place of ours.
    async fn set_shared_ceph_client(&self, host: HostId, client: Option<&str>) -> Result<()>;
}

/// Why a host that is being removed takes no instance.
pub const BEING_REMOVED: &str = "the host is being removed";

/// What became of a removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRemoval {
    Done,
    /// There is no such host.
    NoSuchHost,
    /// These are on it, the oldest first and no more than a few named; `count` of them in all.
    InUse {
        instances: Vec<(InstanceId, String)>,
        count: u64,
    },
}

/// From the oldest that may be in use to the newest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generations {
    pub oldest: i64,
    pub newest: i64,
    /// The identity that the host uses in the place of ours.
    pub shared: Option<String>,
}

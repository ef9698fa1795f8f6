//! Where hosts stand, and how well they reach storage.

use async_trait::async_trait;
use cuttle_model::clock::Timestamp;
use cuttle_model::crush::CrushLocation;
use cuttle_model::host::HostName;
use cuttle_model::ids::HostId;
use cuttle_model::storage_health::StorageHealth;

use crate::Result;

/// What agents say of storage.
#[async_trait]
pub trait HostStorages {
    /// Stores what a host's configuration says of where it stands, and whether its guests read from the nearest replica.
    async fn record_standing(&self, host: HostId, said: Option<&CrushLocation>, localizes_reads: bool) -> Result<()>;

    /// Stores how well hosts reach storage; one statement. Of hosts that never said where they stand nothing is kept.
    async fn record_storage_health(&self, reports: &[(HostId, StorageHealth, Timestamp)]) -> Result<()>;

    /// Where all hosts that said hello stand, by name; one query.
    async fn list_standings(&self) -> Result<Vec<HostStanding>>;

    async fn get_host_storage(&self, host: HostId) -> Result<Option<HostStorage>>;
}

/// What a host's configuration says of where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStanding {
    pub host_id: HostId,
    pub name: HostName,
    /// `None`: its name has to say it.
    pub said: Option<CrushLocation>,
    pub localizes_reads: bool,
}

/// What a host's agent says of storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStorage {
    pub standing: HostStanding,
    /// `None`: nothing was measured yet.
    pub health: Option<StorageHealth>,
    pub reported_at: Option<Timestamp>,
}

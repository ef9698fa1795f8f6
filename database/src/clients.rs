//! The RADOS clients that may write to disks, and the permission to run.

use async_trait::async_trait;
use cuttle_model::client::{ClientProof, DiskClient};
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::{Epoch, HostId, InstanceId};
use cuttle_model::placement::PlacementRecord;

use crate::Result;
use crate::instances::Placement;
use crate::operations::LeaseGuard;

/// Where an instance is to have its next epoch.
#[derive(Debug, Clone)]
pub struct NewPlace {
    /// The epoch that is over.
    pub expected: Epoch,
    /// The only claim that the instance has from then on.
    pub placement: Placement,
    pub record: PlacementRecord,
}

/// What became of an epoch elsewhere. Nothing was written but with [`Elsewhere::Begun`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Elsewhere {
    Begun(Epoch),
    /// Others have taken the host's room, or its rules do not allow it any more.
    HostFull,
    /// The instance has another epoch, or a client of an older one may still write.
    Stale,
    LeaseLost,
}

/// Who may write to what.
#[async_trait]
pub trait Clients {
    /// Gives an instance its next epoch on this host, if it still has `expected` and no client of an
    /// older epoch may still write. `None`: one of the two is not so. Takes the permission to run away,
    /// and counts the generation up: whoever has read the instance reads it again.
    async fn begin_epoch(&self, instance: InstanceId, expected: Epoch, host: HostId) -> Result<Option<Epoch>>;

    /// As [`Clients::begin_epoch`], on another host: the claim goes there too, checked as that of a new instance, and
    /// the reason is kept. All or nothing, under the lease.
    async fn begin_epoch_elsewhere(&self, place: &NewPlace, guard: &LeaseGuard) -> Result<Elsewhere>;

    /// Records the clients of a guest that was created paused, and allows it to run, in one
    /// transaction; only if the instance still has this epoch and host. False: it has not, and nothing
    /// was written; nor is it if the clients are not all of this instance, epoch and host. Counts the
    /// generation up, but not when it is done again, which is harmless.
    async fn allow_running(&self, instance: InstanceId, epoch: Epoch, clients: &[DiskClient]) -> Result<bool>;

    /// The clients of an instance that nobody has proven harmless.
    async fn open_clients(&self, instance: InstanceId) -> Result<Vec<DiskClient>>;

    /// Deleted instances that have such clients, with their last epochs, where no host has anything left to do for them.
    async fn deleted_with_open_clients(&self, limit: u32) -> Result<Vec<(InstanceId, Epoch)>>;

    /// Notes the proof for all clients of an instance up to this epoch.
    async fn close_clients(&self, instance: InstanceId, through: Epoch, proof: ClientProof, now: Timestamp) -> Result<()>;
}

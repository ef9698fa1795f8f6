//! The RADOS clients that may write to disks, and the permission to run.

use async_trait::async_trait;
use cuttle_model::client::{ClientProof, DiskClient};
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::{Epoch, HostId, InstanceId};

use crate::Result;

/// Who may write to what.
#[async_trait]
pub trait Clients {
    /// Gives an instance its next epoch on this host, if it still has `expected` and no client of an
    /// older epoch may still write. `None`: one of the two is not so. Takes the permission to run away,
    /// and counts the generation up: whoever has read the instance reads it again.
    async fn begin_epoch(&self, instance: InstanceId, expected: Epoch, host: HostId) -> Result<Option<Epoch>>;

    /// Records the clients of a guest that was created paused, and allows it to run, in one
    /// transaction; only if the instance still has this epoch and host. False: it has not, and nothing
    /// was written; nor is it if the clients are not all of this instance, epoch and host. Counts the
    /// generation up, but not when it is done again, which is harmless.
    async fn allow_running(&self, instance: InstanceId, epoch: Epoch, clients: &[DiskClient]) -> Result<bool>;

    /// The clients of an instance that nobody has proven harmless.
    async fn open_clients(&self, instance: InstanceId) -> Result<Vec<DiskClient>>;

    /// Notes the proof for all clients of an instance up to this epoch.
    async fn close_clients(&self, instance: InstanceId, through: Epoch, proof: ClientProof, now: Timestamp) -> Result<()>;
}

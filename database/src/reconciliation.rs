//! What a reconciler asks: rows by the ids that it found in the world, and rows that do not fit together.
//!
//! Always true: these only read; each is one query; each answer is bounded by what is asked for.

use async_trait::async_trait;
use cuttle_model::client::DiskClient;
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::{CommandId, HostId, ImageId, InstanceId};
use cuttle_model::image::Image;
use cuttle_model::instance::{Instance, StateName, Task};
use cuttle_model::operation::Subject;

use crate::Result;

/// The database, compared with the world and with itself.
#[async_trait]
pub trait Reconciliation {
    /// Those of these instances that have a row, deleted ones too.
    async fn instances_by_id(&self, ids: &[InstanceId]) -> Result<Vec<Instance>>;

    /// Those of these images that have a row, deleted ones too.
    async fn images_by_id(&self, ids: &[ImageId]) -> Result<Vec<Image>>;

    /// Those of these that an operation works on, or waits for.
    async fn at_work_on(&self, subjects: &[Subject]) -> Result<Vec<Subject>>;

    /// The clients of these instances that nobody has proven harmless.
    async fn open_clients_of(&self, instances: &[InstanceId]) -> Result<Vec<DiskClient>>;

    /// Claims without an instance that they are for, and instances on a host without a claim; only of instances that
    /// nothing is being done to.
    async fn odd_claims(&self, limit: u32) -> Result<Vec<OddClaim>>;

    /// Commands that their host has not reported on though their time was over before this.
    async fn overdue_commands(&self, before: Timestamp, limit: u32) -> Result<Vec<OverdueCommand>>;

    /// Instances with a task that no operation does or waits to do.
    async fn idle_tasks(&self, limit: u32) -> Result<Vec<(InstanceId, Task)>>;
}

/// An instance and a claim that do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OddClaim {
    pub instance_id: InstanceId,
    pub state: StateName,
    /// Where the instance is.
    pub host_id: Option<HostId>,
    /// Where the claim is.
    pub claimed_on: Option<HostId>,
}

/// A command that nobody took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverdueCommand {
    pub id: CommandId,
    pub host_id: HostId,
    pub instance_id: InstanceId,
    pub action: String,
    pub not_after: Timestamp,
}

//! Why instances are where they are: hints, records of choices, and what hosts did with what they got.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use cuttle_model::ids::{HostId, InstanceId};
use cuttle_model::placement::PlacementRecord;

use crate::Result;

/// Hints as a client gave them: what each name stands for, in JSON.
pub type Hints = BTreeMap<String, serde_json::Value>;

/// What is known of placements.
#[async_trait]
pub trait Placements {
    /// Keeps the record of a choice. Those of a create are written by [`crate::Instances::insert_instance`].
    async fn record_placement(&self, record: &PlacementRecord) -> Result<()>;

    /// An instance's records, oldest first.
    async fn list_placements(&self, instance: InstanceId) -> Result<Vec<PlacementRecord>>;

    /// The hints of instances that were asked for with some.
    async fn hints_of(&self, instances: &[InstanceId]) -> Result<HashMap<InstanceId, Hints>>;

    /// The hosts that these instances have claims on.
    async fn hosts_of(&self, instances: &[InstanceId]) -> Result<Vec<HostId>>;

    /// Counts a guest that could not be made on the host, or, where one could, forgets those.
    async fn record_build(&self, host: HostId, outcome: BuildOutcome) -> Result<()>;
}

/// Whether a guest could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildOutcome {
    Made,
    Failed,
}

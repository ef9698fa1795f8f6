//! Instances: rows, lists, and the transaction in which one is born.

use async_trait::async_trait;
use cuttle_model::capacity::Claim;
use cuttle_model::clock::Timestamp;
use cuttle_model::flavor::FlavorId;
use cuttle_model::ids::{HostId, ImageId, InstanceId, ProjectId, ServerGroupId};
use cuttle_model::instance::{Instance, StateName};
use cuttle_model::operation::Operation;
use cuttle_model::placement::PlacementRecord;
use cuttle_model::quota::Excess;

use crate::Result;
use crate::operations::{LeaseGuard, Written};
use crate::placements::Hints;
use crate::quotas::QuotaScope;

/// What is known of instances.
#[async_trait]
pub trait Instances {
    /// Inserts an instance, its claim and the operation that makes it, all or nothing. The claim is
    /// checked against the host's limits, and the instance against its quota, inside the transaction.
    async fn insert_instance(&self, new: &NewInstance) -> Result<Insertion>;

    /// The instance, deleted or not.
    async fn get_instance(&self, id: InstanceId) -> Result<Option<Instance>>;

    /// The instances that match, in the order asked for; one query.
    async fn list_instances(&self, query: &InstanceQuery) -> Result<Vec<Instance>>;

    /// Writes all columns of `instance` if its row still has `instance.generation`, and counts that
    /// up. With a guard also only if the lease is still held. The epoch is not written, and the
    /// permission to run can only be taken away: an instance in which they were changed otherwise is
    /// answered with [`Written::Stale`], as only [`crate::Clients`] changes them.
    async fn update_instance(&self, instance: &Instance, guard: Option<&LeaseGuard>) -> Result<Written>;

    /// As [`Instances::update_instance`], under the lease, and says anew which of its two claims is where the instance is. Both
    /// were made before.
    async fn move_instance(&self, instance: &Instance, home: &Claim, other: &Claim, guard: &LeaseGuard) -> Result<Written>;

    /// As [`Instances::update_instance`], together with an operation that is over: what was done to it
    /// and by whom.
    async fn update_instance_recorded(&self, instance: &Instance, operation: &Operation) -> Result<Written>;
}

/// An instance to be inserted.
#[derive(Debug, Clone)]
pub struct NewInstance {
    pub instance: Instance,
    /// `None`: no host was found; the instance is kept to say so.
    pub placement: Option<Placement>,
    /// What its guest runs when it first boots, in base64.
    pub user_data: Option<String>,
    /// The operation that makes it, with the lease of the node that inserts it.
    pub operation: Option<Operation>,
    /// Counts it against these limits; `None`: it is not counted.
    pub quota: Option<QuotaScope>,
    /// What was wanted of its host, and why it has this one.
    pub placing: Placing,
}

/// What was wanted of an instance's host, and why it has this one.
#[derive(Debug, Clone, Default)]
pub struct Placing {
    /// The server group that it becomes a member of.
    pub group: Option<ServerGroupId>,
    pub hints: Hints,
    pub record: Option<PlacementRecord>,
}

/// A claim, and the limits under which it may be made.
#[derive(Debug, Clone)]
pub struct Placement {
    pub claim: Claim,
    /// Virtual CPUs that may be claimed on the host in all.
    pub vcpu_limit: u64,
    /// Memory that may be claimed on the host in all, in MiB.
    pub ram_limit_mib: u64,
    /// How many instances may be on the host; `None`: any number.
    pub instance_limit: Option<u64>,
    /// The host's `rules` when it was chosen: if these have changed since, it is not claimed. `None`:
    /// whatever they are.
    pub rules: Option<i64>,
}

impl Placement {
    /// A claim under these limits, whatever aggregates say.
    pub fn new(claim: Claim, vcpu_limit: u64, ram_limit_mib: u64) -> Self {
        Self { claim, vcpu_limit, ram_limit_mib, instance_limit: None, rules: None }
    }
}

/// What became of an insertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Insertion {
    Inserted,
    /// Others have taken the host's room, it was disabled, its aggregates have changed, or another member
    /// of the server group is in the way; nothing was written.
    HostFull,
    /// The server group was deleted meanwhile; nothing was written.
    GroupGone,
    /// The project or its user would have too much; nothing was written.
    OverQuota(Vec<Excess>),
}

/// Which instances, in which order.
#[derive(Debug, Clone, Default)]
pub struct InstanceQuery {
    /// Of this project only.
    pub project: Option<ProjectId>,
    /// Only in these states. Empty: in any but deleted.
    pub states: Vec<StateName>,
    /// The name contains this text, as it is.
    pub name_contains: Option<String>,
    pub image: Option<ImageId>,
    pub flavor: Option<FlavorId>,
    pub host: Option<HostId>,
    /// These fields hold just this; nothing, where it is the empty text.
    pub equal: Vec<(InstanceField, String)>,
    pub launch_index: Option<u32>,
    pub is_locked: Option<bool>,
    /// Ran at some time between these two, deleted or not.
    pub lived: Option<(Timestamp, Timestamp)>,
    /// Changed at this time or later; deleted ones are then listed too.
    pub changed_since: Option<Timestamp>,
    /// Changed at this time or earlier; deleted ones are then listed too.
    pub changed_before: Option<Timestamp>,
    /// With all of these tags, or with any, or without.
    pub tags: TagQuery,
    /// First key first. Ends with the creation time, newest first, and the id, whatever is asked for.
    pub sort: Vec<(InstanceSort, SortDirection)>,
    /// Begin after this one.
    pub marker: Option<InstanceId>,
    /// At the most so many.
    pub limit: Option<u32>,
}

/// Which tags; an empty list asks nothing.
#[derive(Debug, Clone, Default)]
pub struct TagQuery {
    pub all: Vec<String>,
    pub any: Vec<String>,
    /// Not all of them.
    pub not_all: Vec<String>,
    /// Not one of them.
    pub not_any: Vec<String>,
}

/// What instances can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceSort {
    CreatedAt,
    UpdatedAt,
    LaunchedAt,
    Name,
    Id,
    State,
    Task,
    Power,
    Host,
    Image,
    Flavor,
    KeyName,
    AvailabilityZone,
    Project,
    User,
    Description,
    Hostname,
    DeletedAt,
    Locked,
    LockedBy,
    LaunchIndex,
    AccessIpv4,
    AccessIpv6,
}

/// What instances can be found by, word for word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceField {
    Id,
    User,
    KeyName,
    AvailabilityZone,
    Reservation,
    Hostname,
    Description,
    AccessIpv4,
    AccessIpv6,
    Task,
    Power,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortDirection {
    Ascending,
    Descending,
}

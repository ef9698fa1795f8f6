//! Operations: their journal and their leases.

use async_trait::async_trait;
use cuttle_model::clock::Timestamp;
use cuttle_model::fault::Fault;
use cuttle_model::ids::{ControlNodeId, HostId, OperationId, ProjectId, RequestId};
use cuttle_model::image::{Image, ImageStatus};
use cuttle_model::instance::{Instance, Task};
use cuttle_model::migration::NewMigration;
use cuttle_model::operation::{Direction, Operation, OperationKind, OperationStatus, Progress, StepRecord, StepResult, Subject};
use cuttle_model::placement::PlacementRecord;
use cuttle_model::quota::Excess;

use crate::Result;
use crate::instances::Placement;
use crate::quotas::{InstanceUsage, QuotaScope};

/// The journal of operations.
#[async_trait]
pub trait Operations {
    /// Begins an operation on an instance or image that exists: marks the subject and inserts the
    /// operation, all or nothing.
    async fn begin_operation(&self, begin: &Begin) -> Result<Begun>;

    async fn get_operation(&self, id: OperationId) -> Result<Option<Operation>>;

    /// The operations of a subject, newest first.
    async fn list_operations(&self, subject: Subject) -> Result<Vec<Operation>>;

    /// Operations, newest first; one query whatever is asked for.
    async fn find_operations(&self, query: &OperationQuery) -> Result<Vec<Operation>>;

    /// The attempts at steps of these operations, by operation and in order; one query.
    async fn list_steps(&self, operations: &[OperationId]) -> Result<Vec<(OperationId, StepRecord)>>;

    /// Takes operations that are active and whose lease is missing, or has run out at `now`, or is of a node that was
    /// fenced; at the most `limit`, the oldest first; counts their leases' epochs up. A lease of another node that was
    /// not fenced is left alone however old it is. One that is being written at that moment may be left for the next
    /// time.
    async fn take_operations(&self, owner: ControlNodeId, now: Timestamp, until: Timestamp, limit: u32)
    -> Result<Vec<Operation>>;

    /// Prolongs the leases that `owner` still holds, also those whose time is over and that nobody took; answers which
    /// those are. None if it is condemned. One statement.
    async fn renew_leases(&self, owner: ControlNodeId, operations: &[OperationId], until: Timestamp) -> Result<Vec<OperationId>>;

    /// Gives every lease of `owner` back, so that others need not wait for its end.
    async fn release_leases(&self, owner: ControlNodeId) -> Result<()>;

    /// Writes how far an operation is, together with the end of one attempt and the begin of the
    /// next, in one transaction.
    async fn journal(&self, entry: &JournalEntry) -> Result<Written>;

    /// Ends an operation: its last attempt, its status, what becomes of its subject, and the start of
    /// the operation that waited for its end, in one transaction. A subject whose generation has
    /// changed leaves everything as it was ([`Written::Stale`]).
    async fn end_operation(&self, end: &EndOperation) -> Result<Written>;

    /// Writes how far an attempt at a step is, if the lease is still held; false if it is not.
    async fn note_progress(&self, guard: LeaseGuard, sequence: u32, progress: Progress) -> Result<bool>;

    /// Asks an operation to stop where it is and undo; false if there is none at work with this id.
    async fn cancel_operation(&self, id: OperationId) -> Result<bool>;

    /// Is it asked to stop?
    async fn is_cancelled(&self, id: OperationId) -> Result<bool>;

    /// Removes operations, with their steps, that ended before this time and whose subject is
    /// deleted; answers how many.
    async fn purge_operations(&self, ended_before: Timestamp) -> Result<u64>;
}

/// Which operations to list.
#[derive(Debug, Clone, Default)]
pub struct OperationQuery {
    /// Empty: of any status.
    pub statuses: Vec<OperationStatus>,
    /// Empty: of any kind.
    pub kinds: Vec<OperationKind>,
    pub subject: Option<Subject>,
    pub project: Option<ProjectId>,
    pub request: Option<RequestId>,
    /// The last operation of the page before.
    pub marker: Option<OperationId>,
    pub limit: Option<u32>,
}

/// An operation to begin.
#[derive(Debug, Clone)]
pub struct Begin {
    /// With its lease; its status is set by what is found.
    pub operation: Operation,
    /// What the subject's row must still be, and becomes.
    pub mark: Mark,
    pub when_busy: WhenBusy,
    /// What an operation that moves an instance needs; claimed in the same transaction.
    pub room: Option<Room>,
}

/// Room on a host beside that which the instance has, and the record of the move that needs it.
#[derive(Debug, Clone)]
pub struct Room {
    pub placement: Placement,
    /// What the instance will take beyond what it takes now, and of whose quota; `None`: it is not counted.
    pub quota: Option<(QuotaScope, InstanceUsage)>,
    /// The record of the move.
    pub migration: NewMigration,
    /// Why it goes there.
    pub record: PlacementRecord,
}

/// What becomes of an instance's claims on hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimEnd {
    Kept,
    /// The claim where it is stays; the one that it was to be moved to, or could have gone back to, goes.
    OtherReleased,
    /// All of them go.
    Released,
}

/// How the subject's row is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Sets the task of an instance that still has this generation.
    Instance { generation: i64, task: Task },
    /// Sets the status of an image that still has this generation.
    Image { generation: i64, status: ImageStatus },
    /// Of a host nothing is set; it must be there.
    Host,
}

/// What to do where an operation is at work on the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenBusy {
    Refuse,
    /// Ask it to stop, and wait for its end. Another that waits already, and is of another kind, ends without having begun.
    CancelAndWait,
}

/// What became of a begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is the active one.
    Begun,
    /// It waits for another to end.
    Waiting,
    /// Another is at work (or, with [`WhenBusy::CancelAndWait`], another of the same kind waits already).
    Busy,
    /// The subject has changed; look again.
    Stale,
    /// Others have taken the host's room, it was disabled, its aggregates have changed, or another member of the
    /// instance's server group is in the way; nothing was written.
    HostFull,
    /// The project or its user would have too much; nothing was written.
    OverQuota(Vec<Excess>),
}

/// Names a lease; a write with it does nothing once the lease was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseGuard {
    pub operation: OperationId,
    pub epoch: i64,
}

/// What became of a guarded write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Written {
    Done,
    /// The row has changed since it was read; nothing was written.
    Stale,
    /// Somebody else works on the operation; nothing was written.
    LeaseLost,
}

/// How far an operation is.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    pub guard: LeaseGuard,
    pub status: OperationStatus,
    pub next_step: u32,
    pub state: serde_json::Value,
    pub fault: Option<Fault>,
    /// The attempt that has ended.
    pub ended: Option<StepEnd>,
    /// The attempt that begins. An attempt that was begun before a crash and never ended stays so.
    pub begun: Option<StepRecord>,
}

/// The end of an attempt.
#[derive(Debug, Clone)]
pub struct StepEnd {
    /// Which attempt.
    pub sequence: u32,
    pub direction: Direction,
    pub finished_at: Timestamp,
    pub result: StepResult,
    pub message: Option<String>,
}

/// The end of an operation.
#[derive(Debug, Clone)]
pub struct EndOperation {
    pub guard: LeaseGuard,
    /// Not active.
    pub status: OperationStatus,
    pub state: serde_json::Value,
    pub fault: Option<Fault>,
    pub finished_at: Timestamp,
    pub ended: Option<StepEnd>,
    pub subject: SubjectEnd,
}

/// What becomes of the subject.
#[derive(Debug, Clone)]
pub enum SubjectEnd {
    /// The instance is written if it still has its generation.
    Instance {
        instance: Box<Instance>,
        /// What becomes of its room.
        claims: ClaimEnd,
    },
    /// The image is written if it still has its generation.
    Image(Box<Image>),
    /// Of a host nothing is written.
    Host(HostId),
}

//! Operations as they are kept: one run of a list of steps, and what became of each step.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::{ControlNodeId, HostId, ImageId, InstanceId, OperationId, ProjectId, RequestId, UserId};

/// The kinds of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    ImportImage,
    DeleteImage,
    CreateInstance,
    DeleteInstance,
    StartInstance,
    StopInstance,
    RebootInstance,
    PauseInstance,
    UnpauseInstance,
    /// Another flavor, on the same host or on another.
    ResizeInstance,
    /// Another host, cold.
    MigrateInstance,
    ConfirmResize,
    RevertResize,
    /// All instances of a host go elsewhere.
    DrainHost,
    /// Recorded as done; nothing runs.
    LockInstance,
    /// As with the lock.
    UnlockInstance,
}

impl OperationKind {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::ImportImage,
        Self::DeleteImage,
        Self::CreateInstance,
        Self::DeleteInstance,
        Self::StartInstance,
        Self::StopInstance,
        Self::RebootInstance,
        Self::PauseInstance,
        Self::UnpauseInstance,
        Self::ResizeInstance,
        Self::MigrateInstance,
        Self::ConfirmResize,
        Self::RevertResize,
        Self::DrainHost,
        Self::LockInstance,
        Self::UnlockInstance,
    ];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ImportImage => "import_image",
            Self::DeleteImage => "delete_image",
            Self::CreateInstance => "create_instance",
            Self::DeleteInstance => "delete_instance",
            Self::StartInstance => "start_instance",
            Self::StopInstance => "stop_instance",
            Self::RebootInstance => "reboot_instance",
            Self::PauseInstance => "pause_instance",
            Self::UnpauseInstance => "unpause_instance",
            Self::ResizeInstance => "resize_instance",
            Self::MigrateInstance => "migrate_instance",
            Self::ConfirmResize => "confirm_resize",
            Self::RevertResize => "revert_resize",
            Self::DrainHost => "drain_host",
            Self::LockInstance => "lock_instance",
            Self::UnlockInstance => "unlock_instance",
        }
    }

    /// Does it have steps? The others are over when they are recorded.
    pub fn has_steps(self) -> bool {
        !matches!(self, Self::LockInstance | Self::UnlockInstance)
    }

    /// The kind of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What an operation changes. One operation at a time runs on each subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    Instance(InstanceId),
    Image(ImageId),
    Host(HostId),
}

/// How far an operation is.
///
/// ```text
/// Waiting ──► Running ──► Succeeded
///                │
///                ▼ a step failed, or it was cancelled
///             Undoing ──► Undone
///                │
///                ▼ an undo failed for good
///              Parked
/// ```
/// A delete that finds another operation at work cancels that one and waits for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationStatus {
    Waiting,
    Running,
    Undoing,
    Succeeded,
    Undone,
    Parked,
}

impl OperationStatus {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Waiting, Self::Running, Self::Undoing, Self::Succeeded, Self::Undone, Self::Parked];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Undoing => "undoing",
            Self::Succeeded => "succeeded",
            Self::Undone => "undone",
            Self::Parked => "parked",
        }
    }

    /// The status of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Not ended yet.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Running | Self::Undoing)
    }

    /// Being worked on: at most one operation of a subject is.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Undoing)
    }
}

/// An operation as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    pub id: OperationId,
    pub kind: OperationKind,
    pub subject: Subject,
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub request_id: RequestId,
    pub status: OperationStatus,
    /// While running: the step that is done next. While undoing: how many steps are still to be undone.
    pub next_step: u32,
    /// The operation's own state, as JSON; written with each step's end.
    pub state: serde_json::Value,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// Asked to stop where it is and undo.
    pub cancel_requested: bool,
    /// Who works on it.
    pub lease: Option<Lease>,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// The right to work on an operation. Each write of a worker names its lease's epoch, so that a
/// worker whose lease was taken over can no longer write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub owner: ControlNodeId,
    pub epoch: i64,
    pub until: Timestamp,
}

/// A control node's run, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlNode {
    pub id: ControlNodeId,
    /// What to fence so that it can write to Ceph no more, each as `ip:port/nonce`.
    pub addresses: Vec<String>,
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub seen_at: Timestamp,
    /// Since when others are fencing it.
    pub condemned_at: Option<Timestamp>,
    /// Since when Ceph takes nothing of it any more.
    pub fenced_at: Option<Timestamp>,
}

/// One attempt at one step, or at its undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Counts from 0 within the operation, over all attempts.
    pub sequence: u32,
    /// The step's name, as users see it.
    pub name: String,
    pub direction: Direction,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub result: Option<StepResult>,
    /// What went wrong.
    pub message: Option<String>,
    /// How far it is, for steps that take long.
    pub progress: Option<Progress>,
}

/// How far a long step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// In units of the step's own: bytes, where it moves data.
    pub done: u64,
    /// How much it will be, where that is known.
    pub total: Option<u64>,
}

/// Was the step done or undone?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Do,
    Undo,
}

impl Direction {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Undo => "undo",
        }
    }
}

/// How an attempt at a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepResult {
    Done,
    /// Did not work; is tried again.
    Retry,
    Failed,
}

impl StepResult {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Done, Self::Retry, Self::Failed];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry => "retry",
            Self::Failed => "failed",
        }
    }

    /// The result of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == word)
    }
}

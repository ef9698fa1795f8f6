//! Migrations: the record of each move of an instance, whoever asked for it and however it came out.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::flavor::FlavorId;
use crate::host::HostName;
use crate::ids::{HostId, InstanceId, MigrationId, OperationId, ProjectId, UserId};
use crate::operation::{OperationKind, OperationStatus};

/// One move of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Counted over all migrations, from 1 on.
    pub number: i64,
    pub id: MigrationId,
    pub instance_id: InstanceId,
    /// Of whoever asked for it.
    pub project_id: ProjectId,
    pub user_id: UserId,
    /// The operation that does it; one that was over long ago may be gone.
    pub operation_id: OperationId,
    pub kind: MigrationKind,
    pub status: MigrationStatus,
    pub source: HostName,
    pub destination: HostName,
    pub old_flavor: FlavorId,
    pub new_flavor: FlavorId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A move that is about to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMigration {
    pub id: MigrationId,
    pub kind: MigrationKind,
    pub source: HostId,
    pub destination: HostId,
    pub old_flavor: FlavorId,
    pub new_flavor: FlavorId,
}

/// What kind of move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MigrationKind {
    /// Another flavor, there or elsewhere.
    Resize,
    /// Another host, cold.
    Migration,
    /// Another host, running.
    LiveMigration,
}

impl MigrationKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Resize, Self::Migration, Self::LiveMigration];

    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resize => "resize",
            Self::Migration => "migration",
            Self::LiveMigration => "live-migration",
        }
    }

    /// The kind of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// How far a move is, in Nova's words.
///
/// ```text
/// resize, migration:  Migrating ──► Finished ──► Confirming ──► Confirmed
///                         │            ├───────► Reverting  ──► Reverted
///                         ▼            ▼
///                     Error, Cancelled
/// live-migration:     Running ──► Completed, Failed, Cancelled
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrationStatus {
    Migrating,
    /// Done, and waits for the answer whether it is to stay.
    Finished,
    Confirming,
    Confirmed,
    Reverting,
    Reverted,
    /// Live, and under way.
    Running,
    Completed,
    /// Undone, or it could not even be undone.
    Error,
    Failed,
    /// Undone because somebody asked for it.
    Cancelled,
}

impl MigrationStatus {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Migrating,
        Self::Finished,
        Self::Confirming,
        Self::Confirmed,
        Self::Reverting,
        Self::Reverted,
        Self::Running,
        Self::Completed,
        Self::Error,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Migrating => "migrating",
            Self::Finished => "finished",
            Self::Confirming => "confirming",
            Self::Confirmed => "confirmed",
            Self::Reverting => "reverting",
            Self::Reverted => "reverted",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Error => "error",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Can it change no more? An instance has one migration at the most that is not settled.
    pub fn is_settled(self) -> bool {
        match self {
            Self::Migrating | Self::Finished | Self::Confirming | Self::Reverting | Self::Running => false,
            Self::Confirmed | Self::Reverted | Self::Completed | Self::Error | Self::Failed | Self::Cancelled => true,
        }
    }

    /// What a migration of this kind is when it begins.
    pub fn first(kind: MigrationKind) -> Self {
        match kind {
            MigrationKind::Resize | MigrationKind::Migration => Self::Migrating,
            MigrationKind::LiveMigration => Self::Running,
        }
    }

    /// What the instance's open migration becomes when this kind of operation begins on it.
    pub fn at_begin_of(operation: OperationKind) -> Option<Self> {
        match operation {
            OperationKind::ConfirmResize => Some(Self::Confirming),
            OperationKind::RevertResize => Some(Self::Reverting),
            _ => None,
        }
    }

    /// What the instance's open migration becomes when an operation on it has ended; `awaits_answer`: the instance is
    /// where it was moved to, and may still go back.
    pub fn at_end_of(operation: OperationKind, status: OperationStatus, cancelled: bool, awaits_answer: bool) -> Option<Self> {
        let succeeded = status == OperationStatus::Succeeded;
        match operation {
            OperationKind::ResizeInstance | OperationKind::MigrateInstance => Some(match (succeeded, cancelled) {
                (true, _) => Self::Finished,
                (false, true) => Self::Cancelled,
                (false, false) => Self::Error,
            }),
            // What was begun may be confirmed although not all of it succeeded.
            OperationKind::ConfirmResize => Some(if awaits_answer { Self::Finished } else { Self::Confirmed }),
            OperationKind::RevertResize => Some(match (succeeded, awaits_answer) {
                (true, _) => Self::Reverted,
                (false, true) => Self::Finished,
                (false, false) => Self::Error,
            }),
            // Whoever deletes what was moved wants nothing back.
            OperationKind::DeleteInstance if succeeded => Some(Self::Confirmed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for status in MigrationStatus::ALL {
            assert_eq!(MigrationStatus::from_word(status.as_str()), Some(status));
        }
        for kind in MigrationKind::ALL {
            assert_eq!(MigrationKind::from_word(kind.as_str()), Some(kind));
            assert!(!MigrationStatus::first(kind).is_settled());
        }
    }

    #[test]
    fn no_answer_leaves_a_migration_half_answered() {
        for operation in [OperationKind::ConfirmResize, OperationKind::RevertResize] {
            let asked = MigrationStatus::at_begin_of(operation).unwrap();
            for status in OperationStatus::ALL {
                for awaits_answer in [false, true] {
                    let after = MigrationStatus::at_end_of(operation, status, false, awaits_answer).unwrap();
                    assert_ne!(after, asked);
                    assert!(after.is_settled() || after == MigrationStatus::Finished);
                }
            }
        }
    }
}

//! Migrations: the records of moves. They are written where operations begin and end.

use async_trait::async_trait;
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::{InstanceId, MigrationId, ProjectId, UserId};
use cuttle_model::migration::{Migration, MigrationKind};

use crate::Result;

/// What is known of moves.
#[async_trait]
pub trait Migrations {
    /// The migrations that match, newest first; one query.
    async fn list_migrations(&self, query: &MigrationQuery) -> Result<Vec<Migration>>;
}

/// Which migrations.
#[derive(Debug, Clone, Default)]
pub struct MigrationQuery {
    pub id: Option<MigrationId>,
    pub number: Option<i64>,
    pub instance: Option<InstanceId>,
    pub kind: Option<MigrationKind>,
    /// A word; one that no migration ever has finds none.
    pub status: Option<String>,
    /// From this host or to it.
    pub host: Option<String>,
    /// From this host.
    pub source: Option<String>,
    pub project: Option<ProjectId>,
    pub user: Option<UserId>,
    /// Only those that can still change, or only those that cannot.
    pub is_settled: Option<bool>,
    /// Changed at this time or later.
    pub changed_since: Option<Timestamp>,
    /// Changed at this time or earlier.
    pub changed_before: Option<Timestamp>,
    /// Begin after this one.
    pub marker: Option<MigrationId>,
    pub limit: Option<u32>,
}

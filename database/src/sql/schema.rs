//! Which versions of the schema the database has.

use sqlx::Row as _;

use super::{Attempt, Handle};
use crate::attempt::Failure;

impl Handle {
    /// The numbers of the migrations that were carried out. None of a database that was never migrated.
    pub(in super::super) async fn applied_once(&self) -> Attempt<Vec<i64>> {
        const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";
        match sqlx::query(APPLIED).fetch_all(self.reader()).await {
            Ok(rows) => rows.iter().map(|row| row.try_get("version").map_err(Failure::Sql)).collect(),
            // The database answers, and has no such table.
            Err(sqlx::Error::Database(_)) => Ok(Vec::new()),
            Err(error) => Err(Failure::Sql(error)),
        }
    }
}

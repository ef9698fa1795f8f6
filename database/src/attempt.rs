//! One attempt at a database call, and when another follows.
//!
//! Only what surely changed nothing is tried again: the database was locked by another writer, or
//! chose this transaction to end a deadlock or a conflict. A broken connection is not, as a commit
//! may have reached the database and only its answer got lost.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Cause, Error};

/// Attempts at one call, the first included.
const ATTEMPTS: u32 = 8;
/// No attempt begins later than this after the first: SQLite has waited for the lock itself.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause after the first attempt; each later one is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// What one attempt came to.
pub(crate) type Attempt<T> = std::result::Result<T, Failure>;

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Sql(sqlx::Error),
    BadRow { table: &'static str, row: String, column: &'static str },
    BadValue { table: &'static str, column: &'static str },
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl Failure {
    /// Another has an equal value where only one may.
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(error)) if error.is_unique_violation())
    }

    /// What it refers to does not exist.
    pub(crate) fn is_dangling(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(error)) if error.is_foreign_key_violation())
    }

    pub(crate) fn into_error(self, action: &'static str) -> Error {
        match self {
            Self::Sql(error) if may_work_later(&error) => Error::Unavailable { action, source: Cause::of(&error) },
            Self::Sql(error) => Error::Refused { action, source: Cause::of(&error) },
            Self::BadRow { table, row, column } => Error::BadRow { table, row, column },
            Self::BadValue { table, column } => Error::BadValue { table, column },
        }
    }

    fn is_conflict(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(error)) if error.code().is_some_and(|code| is_conflict(&code)))
    }
}

/// Does `work` until it succeeds, fails for a reason other than a conflict, or was tried often enough.
pub(crate) async fn attempt<T, F, Work>(action: &'static str, work: F) -> Result<T, Error>
where
    F: Fn() -> Work,
    Work: Future<Output = Attempt<T>>,
{
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match work().await {
            Err(failure) if failure.is_conflict() && begun.elapsed() < PATIENCE => {
                tracing::debug!(action, "the database call met a conflict and is tried again");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            ended => return ended.map_err(|failure| failure.into_error(action)),
        }
    }
    work().await.map_err(|failure| failure.into_error(action))
}

/// SQLite's codes are numbers of up to four digits whose low byte is the kind; PostgreSQL's have five
/// characters.
fn is_conflict(code: &str) -> bool {
    match sqlite_kind(code) {
        // Busy, locked.
        Some(kind) => matches!(kind, 5 | 6),
        // Serialization failure, deadlock.
        None => matches!(code, "40001" | "40P01"),
    }
}

fn may_work_later(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| match sqlite_kind(&code) {
            // Busy, locked, I/O error, disk full, cannot open.
            Some(kind) => matches!(kind, 5 | 6 | 10 | 13 | 14),
            // Connection, conflict, resources, lock not available, operator (also a statement's time
            // being over), read only because it is a standby.
            None => {
                ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class))
                    || matches!(&*code, "55P03" | "25006" | "25P03")
            }
        }),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed | sqlx::Error::Protocol(_) => true,
        _ => false,
    }
}

fn sqlite_kind(code: &str) -> Option<u32> {
    (code.len() < 5).then(|| code.parse::<u32>().ok()).flatten().map(|code| code & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_are_told_from_refusals() {
        // Busy, busy snapshot, locked; serialization failure, deadlock.
        for code in ["5", "517", "6", "40001", "40P01"] {
            assert!(is_conflict(code), "{code}");
        }
        // Constraint, unique, primary key; unique violation, foreign key violation.
        for code in ["19", "2067", "1555", "23505", "23503"] {
            assert!(!is_conflict(code), "{code}");
        }
    }

    #[test]
    fn an_error_shows_neither_address_nor_password() {
        let error = sqlx::Error::Configuration("postgres://cuttle:secret@db/cuttle".into());
        let shown = Failure::from(error).into_error("open the database");
        let text = format!("{shown} {shown:?} {:?}", std::error::Error::source(&shown));
        assert!(!text.contains("secret") && !text.contains("postgres:"), "{text}");
    }
}

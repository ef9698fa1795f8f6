//! SQLite: one file, one control node.
//!
//! Always true: one connection writes, and takes the write lock when its transaction begins, so no
//! transaction of this process ever waits for another one half done. Readers see what was last
//! committed and wait for nobody. A commit is on the disk when it returns: epochs must not be lost
//! with the power.

#[cfg(test)]
mod plans;

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Pool, Transaction};
use tokio::sync::broadcast;

use crate::attempt::{Attempt, Failure};
use crate::connect::Options;
use crate::error::{Cause, Error};
use crate::events::{BACKLOG, Event, Events};
use crate::migration::{self, Schema, SchemaGap};
use crate::statements;

pub(crate) type Db = sqlx::Sqlite;
pub(crate) type Connection = sqlx::SqliteConnection;
pub(crate) type Row = sqlx::sqlite::SqliteRow;

/// A writing transaction has the only write lock: a row that it read cannot change.
macro_rules! for_share {
    () => {
        ""
    };
}
/// See `for_share`.
macro_rules! skip_locked {
    () => {
        ""
    };
}

/// The columns of a wide row come as one: this driver copies each of them by itself, from one thread to another.
macro_rules! packed {
    ($($columns:tt)*) => {
        concat!("json_array(", $($columns)*, ") AS packed")
    };
}
/// Before and after a JSON array of ids that becomes rows.
macro_rules! among_ids {
    (open) => {
        "value FROM json_each("
    };
    (close) => {
        "))"
    };
}
const IS_PACKED: bool = true;

// The same statements are compiled for PostgreSQL.
#[allow(clippy::duplicate_mod)]
#[path = "sql/mod.rs"]
mod sql;

/// The write-ahead log is cut back to this after a checkpoint.
const LOG_BYTES: u64 = 64 << 20;
const STATEMENTS_CACHED: usize = 256;
/// Pages of the file that each connection keeps. The system keeps them too, once for all.
const PAGES_KIB: u32 = 1024;
/// Readers that only a crowd needed are closed after this, and their pages and statements go with them.
const READER_IDLE: Duration = Duration::from_secs(30);
/// Rows that a list may be ahead of whoever reads it.
const ROWS_AHEAD: usize = 1024;
const OPENING: &str = "open the database file";

/// An open database.
pub(crate) struct Handle {
    writer: Pool<Db>,
    readers: Pool<Db>,
    events: broadcast::Sender<Event>,
}

/// A transaction that may write. Dropped without a commit, it has changed nothing.
pub(crate) struct Tx {
    inner: Transaction<'static, Db>,
    events: Vec<Event>,
    sender: broadcast::Sender<Event>,
}

/// Opens the file at `path` (with or without `//` before it).
pub(crate) async fn open(path: &str, options: &Options) -> Result<Handle, Error> {
    let path = file_of(path)?;
    create(&path).await?;
    let file = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(options.statement_timeout)
        .pragma("journal_size_limit", LOG_BYTES.to_string())
        // Negative: in KiB.
        .pragma("cache_size", format!("-{PAGES_KIB}"))
        .statement_cache_capacity(STATEMENTS_CACHED)
        .row_buffer_size(ROWS_AHEAD);
    let file = statements::traced(file);
    let pool = || {
        PoolOptions::<Db>::new()
            .acquire_timeout(options.acquire_timeout)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
    };
    let failed = |error| Failure::from(error).into_error(OPENING);
    let writer = pool().min_connections(1).max_connections(1).connect_with(file.clone()).await.map_err(failed)?;
    let reading = file.pragma("query_only", "ON");
    let readers = pool().min_connections(1).max_connections(options.connections.max(1)).idle_timeout(READER_IDLE);
    let readers = readers.connect_with(reading).await.map_err(failed)?;
    Ok(Handle { writer, readers, events: broadcast::Sender::new(BACKLOG) })
}

fn file_of(path: &str) -> Result<PathBuf, Error> {
    let path = path.strip_prefix("//").unwrap_or(path);
    match path {
        "" | ":memory:" => Err(Error::BadAddress("'sqlite:' is followed by the path of a file".to_owned())),
        path if path.contains('?') => Err(Error::BadAddress("'sqlite:' takes a path and no options".to_owned())),
        path => Ok(PathBuf::from(path)),
    }
}

/// Makes the file, for its owner only; SQLite gives the files beside it the same mode.
async fn create(path: &Path) -> Result<(), Error> {
    let path = path.to_owned();
    let made = tokio::task::spawn_blocking(move || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)).await;
    let failed = |text: String| Error::Unavailable { action: OPENING, source: Cause::said(text) };
    match made {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

impl Handle {
    /// For statements that only read.
    fn reader(&self) -> &Pool<Db> {
        &self.readers
    }

    /// For single statements that write.
    fn writer(&self) -> &Pool<Db> {
        &self.writer
    }

    fn pools(&self) -> Vec<(&'static str, &Pool<Db>)> {
        vec![("readers", &self.readers), ("writer", &self.writer)]
    }

    /// Begins a transaction; it has the write lock from the start.
    async fn begin(&self) -> Attempt<Tx> {
        let inner = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Tx { inner, events: Vec::new(), sender: self.events.clone() })
    }
}

impl Tx {
    fn connection(&mut self) -> &mut Connection {
        &mut self.inner
    }

    /// Tells everybody once this is committed.
    fn announce(&mut self, event: Event) {
        self.events.push(event);
    }

    async fn commit(self) -> Attempt<()> {
        // In a task of its own: the caller may stop waiting, and what was committed must be announced.
        let ended = tokio::spawn(async move {
            self.inner.commit().await?;
            for event in self.events {
                // Nobody may be listening.
                let _ = self.sender.send(event);
            }
            Ok(())
        });
        ended.await.unwrap_or(Err(sqlx::Error::WorkerCrashed)).map_err(Failure::Sql)
    }
}

impl Events for Handle {
    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

#[async_trait]
impl Schema for Handle {
    async fn migrate(&self) -> Result<(), Error> {
        // One transaction around all, as SQLite has no other lock that a second process would wait for.
        let mut tx = self.begin().await.map_err(|failure| failure.into_error("lock the schema"))?;
        // `run` in the form that takes a connection inside a future that is Send.
        let done = migration::migrator(migration::SQLITE).run_direct(None, tx.connection(), false).await;
        done.map_err(|error| Error::Migration(Cause::of_migration(&error)))?;
        tx.commit().await.map_err(|failure| failure.into_error("change the schema"))
    }

    async fn schema_gap(&self) -> Result<SchemaGap, Error> {
        let applied = self.applied_once().await.map_err(|failure| failure.into_error("read the schema's version"))?;
        Ok(migration::gap(migration::SQLITE, &applied))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_with_and_without_slashes() {
        for path in ["/var/lib/cuttle.db", "///var/lib/cuttle.db"] {
            assert_eq!(file_of(path).unwrap(), Path::new("/var/lib/cuttle.db"));
        }
        for bad in ["", "//", ":memory:", "/a?mode=ro"] {
            assert!(matches!(file_of(bad), Err(Error::BadAddress(_))), "{bad}");
        }
    }
}

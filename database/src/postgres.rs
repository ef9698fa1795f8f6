//! PostgreSQL: any number of control nodes.
//!
//! Always true: transactions read what is committed when each statement begins, whatever the server's
//! default is; the statements here rely on it. What is announced travels with the commit. A node
//! that falls silent inside a transaction loses it, and its locks.

mod listener;

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use sqlx::pool::PoolOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection as _, Pool, Transaction};
use tokio::sync::broadcast;

use crate::attempt::{Attempt, Failure};
use crate::connect::Options;
use crate::error::{Cause, Error};
use crate::events::{Event, Events};
use crate::migration::{self, Schema, SchemaGap};
use crate::statements;
use listener::Listener;

pub(crate) type Db = sqlx::Postgres;
pub(crate) type Connection = sqlx::PgConnection;
pub(crate) type Row = sqlx::postgres::PgRow;

/// Keeps others from changing the row until this transaction ends.
macro_rules! for_share {
    () => {
        " FOR SHARE"
    };
}
/// Takes rows that nobody else is taking or writing, and waits for nobody.
macro_rules! skip_locked {
    () => {
        " FOR UPDATE SKIP LOCKED"
    };
}

/// The columns of a wide row come as they are: this driver keeps a row in one piece.
macro_rules! packed {
    ($($columns:tt)*) => {
        concat!($($columns)*)
    };
}
/// Before and after a JSON array of ids that becomes rows.
macro_rules! among_ids {
    (open) => {
        "json_array_elements_text(CAST("
    };
    (close) => {
        " AS json)))"
    };
}
const IS_PACKED: bool = false;

// The same statements are compiled for SQLite.
#[allow(clippy::duplicate_mod)]
#[path = "sql/mod.rs"]
mod sql;

const STATEMENTS_CACHED: usize = 256;
/// A connection that was idle for longer is tried before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(2);
/// Events in one notification, which may have 8000 bytes.
const EVENTS_PER_NOTIFICATION: usize = 100;

/// An open database.
pub(crate) struct Handle {
    pool: Pool<Db>,
    /// As the pool's, without limits on time.
    patient: PgConnectOptions,
    listener: Listener,
}

/// A transaction that may write. Dropped without a commit, it has changed nothing.
pub(crate) struct Tx {
    inner: Transaction<'static, Db>,
    events: Vec<Event>,
}

pub(crate) async fn open(url: &str, password: Option<&SecretString>, options: &Options) -> Result<Handle, Error> {
    // The parser's own words may quote the address, and with it a password.
    let server =
        PgConnectOptions::from_str(url).map_err(|_| Error::BadAddress("expected postgres://user@host:port/name".to_owned()))?;
    let server = match password {
        Some(password) => server.password(password.expose_secret()),
        None => server,
    };
    let patient = server
        .application_name("cuttle")
        .statement_cache_capacity(STATEMENTS_CACHED)
        .options([("default_transaction_isolation", "read committed")]);
    let patient = statements::traced(patient);
    let milliseconds = options.statement_timeout.as_millis().to_string();
    let limited =
        patient.clone().options([("statement_timeout", &milliseconds), ("idle_in_transaction_session_timeout", &milliseconds)]);
    let pool = PoolOptions::<Db>::new()
        .max_connections(options.connections.max(1))
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, usage| {
            Box::pin(async move {
                if usage.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(limited)
        .await
        .map_err(|error| Failure::from(error).into_error("connect to the database"))?;
    let listener = Listener::start(patient.clone()).await?;
    Ok(Handle { pool, patient, listener })
}

impl Handle {
    /// For statements that only read.
    fn reader(&self) -> &Pool<Db> {
        &self.pool
    }

    /// For single statements that write.
    fn writer(&self) -> &Pool<Db> {
        &self.pool
    }

    fn pools(&self) -> Vec<(&'static str, &Pool<Db>)> {
        vec![("all", &self.pool)]
    }

    /// Begins a transaction.
    async fn begin(&self) -> Attempt<Tx> {
        Ok(Tx { inner: self.pool.begin().await?, events: Vec::new() })
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

    async fn commit(mut self) -> Attempt<()> {
        for events in self.events.chunks(EVENTS_PER_NOTIFICATION) {
            let words: Vec<String> = events.iter().map(|event| event.to_word()).collect();
            let notify = sqlx::query::<Db>("SELECT pg_notify($1, $2)").bind(listener::CHANNEL).bind(words.join(" "));
            notify.execute(&mut *self.inner).await?;
        }
        Ok(self.inner.commit().await?)
    }
}

impl Events for Handle {
    fn events(&self) -> broadcast::Receiver<Event> {
        self.listener.events()
    }
}

#[async_trait]
impl Schema for Handle {
    async fn migrate(&self) -> Result<(), Error> {
        // A connection without limits on time: another node may be at it, and a large table takes long.
        let opened = self.patient.connect().await;
        let mut connection = opened.map_err(|error| Failure::from(error).into_error("connect to the database"))?;
        // `run` in the form that takes a connection inside a future that is Send. It holds an advisory
        // lock meanwhile.
        let done = migration::migrator(migration::POSTGRES).run_direct(None, &mut connection, false).await;
        // It has done its work; how it ends is of no account.
        let _ = connection.close().await;
        done.map_err(|error| Error::Migration(Cause::of_migration(&error)))
    }

    async fn schema_gap(&self) -> Result<SchemaGap, Error> {
        let applied = self.applied_once().await.map_err(|failure| failure.into_error("read the schema's version"))?;
        Ok(migration::gap(migration::POSTGRES, &applied))
    }
}

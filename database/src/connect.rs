//! Opening a database by its address.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::{Database, Error, Result};
use crate::{postgres, sqlite};

/// Limits of the connections to a database.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections at the most. SQLite: those that read; one more writes.
    pub connections: u32,
    /// How long a call waits for a connection.
    pub acquire_timeout: Duration,
    /// How long a statement may take, or wait for another's lock. PostgreSQL ends a transaction too
    /// whose node falls silent for so long.
    pub statement_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 8, acquire_timeout: Duration::from_secs(15), statement_timeout: Duration::from_secs(15) }
    }
}

/// Opens a database. Its schema may still be of another version: see [`crate::Schema::migrate`].
///
/// - `sqlite:/var/lib/cuttle/cuttle.db`: a file, which is made if it does not exist, readable by its
///   owner only. For one control node; events reach only the process in which they happen.
/// - `postgres://user@host:port/name`: a PostgreSQL database, for any number of control nodes. Its
///   password is better given as `password` than in the address, as addresses stand in
///   configuration files.
pub async fn connect(url: &str, password: Option<&SecretString>, options: &Options) -> Result<Database> {
    match url.split_once(':') {
        Some(("sqlite", path)) => Ok(Arc::new(sqlite::open(path, options).await?)),
        Some(("postgres" | "postgresql", _)) => Ok(Arc::new(postgres::open(url, password, options).await?)),
        _ => Err(Error::BadAddress("it begins with neither 'sqlite:' nor 'postgres:'".to_owned())),
    }
}

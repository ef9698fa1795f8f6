//! A new SQLite file for a test.

use std::path::PathBuf;
use std::time::Duration;

use cuttle_database::{Database, Options, connect};
use sqlx::{ConnectOptions, Connection, SqlSafeStr};
use tempfile::TempDir;

/// A database that goes with this value.
pub struct Lab {
    pub database: Database,
    directory: TempDir,
}

impl Lab {
    /// An open database with the schema.
    pub async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("cuttle.db").display());
        let database = connect(&url, None, &Options::default()).await.unwrap();
        database.migrate().await.unwrap();
        Self { database, directory }
    }

    /// A database without a schema: its address.
    pub async fn empty() -> (Self, String) {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("cuttle.db").display());
        let database = connect(&url, None, &Options::default()).await.unwrap();
        (Self { database, directory }, url)
    }

    /// The same database as another process would open it.
    pub async fn another_node(&self) -> Database {
        connect(&format!("sqlite://{}", self.file().display()), None, &Options::default()).await.unwrap()
    }

    /// Runs a statement that the crate would not.
    pub async fn execute(&self, statement: &'static str) {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.file());
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(statement.into_sql_str()).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    pub fn file(&self) -> PathBuf {
        self.directory.path().join("cuttle.db")
    }
}

#[tokio::test]
async fn the_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new().await;
    for file in std::fs::read_dir(lab.directory.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.path());
    }
}

#[tokio::test]
async fn commits_reach_the_disk() {
    // Asked of a connection of the crate's kind: what the file itself keeps.
    let lab = Lab::new().await;
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(lab.file()).connect().await.unwrap();
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut connection).await.unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn a_file_that_cannot_be_made_is_named_without_a_panic() {
    let error = connect("sqlite:/nonexistent/cuttle.db", None, &Options::default()).await.err().unwrap();
    assert!(matches!(error, cuttle_database::Error::Unavailable { .. }), "{error:?}");
}

/// Another process that has the write lock for this long.
async fn hold_the_lock(lab: &Lab, duration: Duration) -> tokio::task::JoinHandle<()> {
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(lab.file()).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    tokio::spawn(async move {
        tokio::time::sleep(duration).await;
        sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    })
}

#[tokio::test]
async fn a_lock_that_another_process_holds_is_waited_for_but_not_for_ever() {
    let lab = Lab::new().await;
    let options = Options { statement_timeout: Duration::from_millis(20), ..Options::default() };
    let database = connect(&format!("sqlite:{}", lab.file().display()), None, &options).await.unwrap();

    let short = hold_the_lock(&lab, Duration::from_millis(150)).await;
    crate::rows::insert_host(&database, "host1").await;
    short.await.unwrap();

    let long = hold_the_lock(&lab, Duration::from_millis(1500)).await;
    let error = database.get_or_insert_setting("cloud", "one").await.unwrap_err();
    assert!(matches!(error, cuttle_database::Error::Unavailable { .. }), "{error:?}");
    // Readers wait for nobody.
    assert_eq!(database.list_hosts().await.unwrap().len(), 1);
    long.await.unwrap();
    assert_eq!(database.get_or_insert_setting("cloud", "two").await.unwrap(), "two");
}

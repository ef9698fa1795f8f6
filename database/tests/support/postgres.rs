//! A new database on the PostgreSQL server that `CUTTLE_TEST_POSTGRES` names, for a test.
//!
//! The variable holds an address such as `postgres://postgres@127.0.0.1:5432/postgres`, whose user may
//! create databases. Without it these tests fail: a suite that was not run has not passed.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cuttle_database::{Begun, Database, Event, Options, WhenBusy, connect};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqlSafeStr};

use crate::rows;

/// A database that goes with this value.
pub struct Lab {
    pub database: Database,
    made: Made,
}

/// A database on the server, which is dropped with this value.
struct Made {
    server: PgConnectOptions,
    name: String,
}

fn server() -> PgConnectOptions {
    let url = std::env::var("CUTTLE_TEST_POSTGRES").expect(
        "CUTTLE_TEST_POSTGRES is not set: the tests on PostgreSQL need the address of a server, \
         such as postgres://postgres@127.0.0.1:5432/postgres, whose user may create databases",
    );
    PgConnectOptions::from_str(&url).expect("CUTTLE_TEST_POSTGRES holds no address of a PostgreSQL server")
}

async fn on_server(server: &PgConnectOptions, statement: String) {
    let mut connection = server.clone().connect().await.expect("the server that CUTTLE_TEST_POSTGRES names does not answer");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Few connections: many tests run at once.
fn options() -> Options {
    Options { connections: 6, ..Options::default() }
}

impl Lab {
    /// An open database with the schema.
    pub async fn new() -> Self {
        let (lab, _) = Self::empty().await;
        lab.database.migrate().await.unwrap();
        lab
    }

    /// A database without a schema, and its address.
    pub async fn empty() -> (Self, String) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = server();
        let name = format!("cuttle_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        on_server(&server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        on_server(&server, format!("CREATE DATABASE {name}")).await;
        let made = Made { server, name };
        let url = made.options().to_url_lossy().to_string();
        let database = connect(&url, None, &options()).await.unwrap();
        (Self { database, made }, url)
    }

    /// The same database as another control node opens it.
    pub async fn another_node(&self) -> Database {
        connect(self.made.options().to_url_lossy().as_ref(), None, &options()).await.unwrap()
    }

    /// Runs a statement that the crate would not.
    pub async fn execute(&self, statement: &'static str) {
        let mut connection = self.made.options().connect().await.unwrap();
        sqlx::raw_sql(statement.into_sql_str()).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

impl Made {
    fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let server = self.server.clone();
        // The test's own runtime is about to end.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(on_server(&server, statement));
        });
        let _ = dropping.join();
    }
}

#[tokio::test]
async fn a_lost_connection_is_heard_of_and_events_come_again() {
    let lab = Lab::new().await;
    let mut events = lab.database.events();
    lab.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .await;
    assert_eq!(rows::heard(&mut events).await, Event::Resync);
    lab.execute("NOTIFY cuttle, 'ended:8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b'").await;
    assert_eq!(rows::heard(&mut events).await, Event::Ended("8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b".parse().unwrap()));
    // The pool's connections were lost as well; each is found out by its first use, and replaced.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while let Err(error) = lab.database.list_hosts().await {
        assert!(tokio::time::Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_not_shown() {
    let options = Options { acquire_timeout: Duration::from_millis(200), ..options() };
    let error = connect("postgres://nobody:wrong-password@127.0.0.1:1/none", None, &options).await.err().unwrap();
    let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
    assert!(!shown.contains("wrong-password"), "{shown}");
}

#[tokio::test]
async fn transactions_read_what_is_committed_whatever_the_servers_default() {
    let lab = Lab::new().await;
    lab.execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()); END $$").await;
    let node = lab.another_node().await;
    crate::suite::concurrency::fill_a_host(&[lab.database.clone(), node]).await;
}

#[tokio::test]
async fn every_node_hears_what_one_commits_and_nothing_of_what_is_rolled_back() {
    let lab = Lab::new().await;
    let other = lab.another_node().await;
    let mut events = other.events();
    let instance = rows::insert_instance(&lab.database).await;
    let first = rows::begin(&instance, rows::node(), WhenBusy::Refuse);
    assert_eq!(lab.database.begin_operation(&first).await.unwrap(), Begun::Begun);
    let marked = rows::get(&lab.database, &instance).await;
    let delete = rows::begin(&marked, rows::node(), WhenBusy::CancelAndWait);
    assert_eq!(lab.database.begin_operation(&delete).await.unwrap(), Begun::Waiting);
    let refused = rows::begin(&rows::get(&lab.database, &instance).await, rows::node(), WhenBusy::CancelAndWait);
    assert_eq!(lab.database.begin_operation(&refused).await.unwrap(), Begun::Busy);
    let host = rows::insert_host(&lab.database, "host1").await;
    let command = rows::command(instance.id, 1, cuttle_compute_protocol::Action::ResumeGuest);
    lab.database.insert_command(host.id, &command).await.unwrap();
    assert_eq!(rows::heard(&mut events).await, Event::Cancelled(first.operation.id));
    assert_eq!(rows::heard(&mut events).await, Event::Command(host.id));
}

//! The task that listens to PostgreSQL's notifications, on a connection of its own.
//!
//! Always true: whoever listens hears [`Event::Resync`] after each time that notifications may have
//! been missed, and never before they are heard again.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::{Executor, Pool};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Db;
use crate::attempt::Failure;
use crate::error::Error;
use crate::events::{BACKLOG, Event};

/// What notifications are sent on.
pub(super) const CHANNEL: &str = "cuttle";

/// A server that is silent for this long is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(10);
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between attempts to connect.
const PAUSE: Duration = Duration::from_millis(500);

/// The listening task; it ends with this value.
pub(super) struct Listener {
    events: broadcast::Sender<Event>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens from now on: what is committed after this returns is heard.
    pub(super) async fn start(server: PgConnectOptions) -> Result<Self, Error> {
        let failed = |error| Failure::Sql(error).into_error("listen to the database");
        let connection = listen(&server).await.map_err(failed)?;
        let events = broadcast::Sender::new(BACKLOG);
        let task = tokio::spawn(run(server, connection, events.clone()));
        Ok(Self { events, task })
    }

    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(server: &PgConnectOptions) -> sqlx::Result<PgListener> {
    let own = sqlx::pool::PoolOptions::<Db>::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool: Pool<Db> = own.acquire_timeout(PATIENCE).connect_with(server.clone()).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    // A lost connection is to be seen here, as events were lost with it.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

async fn run(server: PgConnectOptions, first: PgListener, events: broadcast::Sender<Event>) {
    let mut listener = first;
    loop {
        let why = hear(&mut listener, &events).await;
        tracing::warn!(why, "the connection that hears of other nodes' changes was lost");
        listener = loop {
            match timeout(PATIENCE, listen(&server)).await {
                Ok(Ok(listener)) => break listener,
                Ok(Err(_)) | Err(_) => tokio::time::sleep(PAUSE).await,
            }
        };
        tracing::info!("other nodes' changes are heard of again");
        // Nobody may be listening.
        let _ = events.send(Event::Resync);
    }
}

/// Passes events on until the connection is lost; answers why it was.
async fn hear(listener: &mut PgListener, events: &broadcast::Sender<Event>) -> &'static str {
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => {
                for word in notification.payload().split_ascii_whitespace() {
                    let _ = events.send(Event::from_word(word));
                }
            }
            Ok(Ok(None)) => return "it was closed",
            Ok(Err(_)) => return "it failed",
            // A server that vanished without a word is not noticed otherwise.
            Err(_) => match timeout(PATIENCE, listener.execute("SELECT 1")).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return "the server did not answer",
            },
        }
    }
}

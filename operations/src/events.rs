//! Waiting for something that somebody else commits.

use std::future::Future;

use cuttle_database::{Database, Event};
use tokio::sync::broadcast::error::RecvError;

/// Looks until `look` finds something: at once, and again whenever an event comes that `concerns` what
/// is waited for, or events may have been lost. Does not end by itself; put a limit around it.
pub(crate) async fn wait_for<T, E, F>(database: &Database, concerns: impl Fn(Event) -> bool, look: impl Fn() -> F) -> Result<T, E>
where
    F: Future<Output = Result<Option<T>, E>>,
{
    let mut events = database.events();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        loop {
            match events.recv().await {
                Ok(Event::Resync) | Err(RecvError::Lagged(_)) => break,
                Ok(event) if concerns(event) => break,
                Ok(_) => {}
                // The sender lives as long as the database handle, which we hold.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

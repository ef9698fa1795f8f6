//! What the tests on real parts share: a client of the cloud that `./lab` has started, and the lab itself.
//!
//! A test that finds no lab panics and says so; it is never skipped.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

mod cloud;
mod invariants;
mod lab;

pub use cloud::{Answer, Cloud, Server};
pub use invariants::assert_nothing_leaks;
pub use lab::Lab;

use std::time::{Duration, Instant};

/// Asks `look` every 100 ms until it answers, and panics with `what` if it does not within `limit`.
/// For what can only be seen by looking, as every client of OpenStack looks.
pub async fn eventually<T, F>(what: &str, limit: Duration, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

//! What the tests on real parts share: a client of the cloud that `./lab` has started, and the lab itself.
//!
//! A test that finds no lab panics and says so; it is never skipped.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

mod cloud;
mod invariants;
mod lab;
mod openstack;

pub use cloud::{Answer, Cloud, Server};
pub use invariants::assert_nothing_leaks;
pub use lab::Lab;
pub use openstack::OpenStack;

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

/// Base64 as clients send it.
pub fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| -> String {
        let number = (0..3).fold(0_u32, |sum, index| sum << 8 | u32::from(*chunk.get(index).unwrap_or(&0)));
        let sign = |index: usize| match index <= chunk.len() {
            true => char::from(SIGNS[(number >> (18 - 6 * index)) as usize & 63]),
            false => '=',
        };
        (0..4).map(sign).collect()
    };
    bytes.chunks(3).map(group).collect()
}

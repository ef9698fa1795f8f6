//! A clock that can be put forward: a lease runs out without anybody waiting for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cuttle_model::clock::{Clock, SystemClock, Timestamp};

/// The time of day, and what was added to it. Clones are the same clock.
#[derive(Clone, Default)]
pub struct KitClock(Arc<AtomicU64>);

impl KitClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for KitClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(Duration::from_micros(self.0.load(Ordering::Relaxed)))
    }
}

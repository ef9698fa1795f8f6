//! Threads for blocking calls into Ceph, bounded, and honest about those that do not come back.
//!
//! ```text
//! waiting ──a thread is free──► running ──returns in time──► answer
//!    │ deadline                    │ deadline
//!    ▼                             ▼
//! never started (dropped)       stuck: the caller is free, the thread is counted until it returns
//! ```
//!
//! What always holds: at most `threads` calls run that are within their deadline, so stuck calls never starve new ones;
//! at most `max_stuck` threads are stuck when a call is accepted; a call that was given up while it waited never runs; no
//! thread of the async runtime waits here. What it does not do: it cannot end a call that hangs in Ceph; Ceph's own
//! timeouts do.

use crate::config::Limits;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a thread waits for work before it ends.
const IDLE: Duration = Duration::from_secs(60);

type Work = Box<dyn FnOnce() + Send>;

/// Numbers to show and to alarm on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls that run within their deadline.
    pub busy: usize,
    /// Calls that run past their deadline: each holds a thread until Ceph answers.
    pub stuck: usize,
    /// Calls that wait for a thread.
    pub waiting: usize,
    /// Reads and writes in flight on librbd's own threads.
    pub aio_in_flight: usize,
}

/// Why a call was not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overloaded {
    pub(crate) stuck: usize,
    pub(crate) waiting: usize,
}

/// Identifies a call that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ticket(u64);

/// What became of a call that its caller gave up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum GivenUp {
    NeverStarted,
    Started,
}

pub(crate) struct Workers {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    threads: usize,
    max_stuck: usize,
    max_waiting: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Ticket, Instant, Work)>,
    /// The deadline of each call that runs.
    running: HashMap<Ticket, Instant>,
    alive: usize,
    idle: usize,
    next_ticket: u64,
    closed: bool,
}

impl State {
    fn stuck(&self, now: Instant) -> usize {
        self.running.values().filter(|deadline| **deadline <= now).count()
    }
}

impl Workers {
    pub(crate) fn new(limits: &Limits) -> Workers {
        let shared = Shared {
            state: Mutex::default(),
            wake: Condvar::new(),
            threads: limits.threads.max(1),
            max_stuck: limits.max_stuck.max(1),
            max_waiting: limits.max_waiting.max(1),
        };
        Workers { shared: Arc::new(shared) }
    }

    /// Accepts a call, or refuses it at once. `work` is dropped without running if its deadline comes first.
    pub(crate) fn submit(&self, deadline: Instant, work: Work) -> Result<Ticket, Overloaded> {
        let mut state = self.shared.lock();
        let (stuck, waiting) = (state.stuck(Instant::now()), state.waiting.len());
        if stuck >= self.shared.max_stuck || waiting >= self.shared.max_waiting {
            return Err(Overloaded { stuck, waiting });
        }
        let ticket = Ticket(state.next_ticket);
        state.next_ticket += 1;
        state.waiting.push_back((ticket, deadline, work));
        self.shared.staff(&mut state);
        Ok(ticket)
    }

    /// Gives a call up. One that waits is dropped; one that runs goes on.
    pub(crate) fn give_up(&self, ticket: Ticket) -> GivenUp {
        let mut state = self.shared.lock();
        let place = state.waiting.iter().position(|(waiting, ..)| *waiting == ticket);
        let removed = place.and_then(|place| state.waiting.remove(place));
        // A call that has just become stuck makes room for a thread in its place.
        self.shared.staff(&mut state);
        drop(state);
        // Its captures are dropped outside the lock.
        if removed.is_some() { GivenUp::NeverStarted } else { GivenUp::Started }
    }

    pub(crate) fn stats(&self) -> Stats {
        let state = self.shared.lock();
        let stuck = state.stuck(Instant::now());
        Stats { busy: state.running.len() - stuck, stuck, waiting: state.waiting.len(), aio_in_flight: 0 }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of a caller runs under the lock, so a poisoned one is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes or starts threads for what waits.
    fn staff(self: &Arc<Shared>, state: &mut State) {
        if state.waiting.is_empty() {
            return;
        }
        if state.idle > 0 {
            self.wake.notify_one();
        }
        let allowed = self.threads + state.stuck(Instant::now());
        if state.waiting.len() > state.idle && state.alive < allowed {
            let shared = Arc::clone(self);
            match std::thread::Builder::new().name("rbd-worker".into()).spawn(move || shared.work()) {
                Ok(_) => state.alive += 1,
                Err(error) => tracing::warn!(%error, threads = state.alive, "no further thread for Ceph calls"),
            }
        }
    }

    fn work(self: Arc<Shared>) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            // A replacement for a stuck thread goes when that one is back.
            if state.alive > self.threads + state.stuck(now) {
                break;
            }
            if let Some((ticket, deadline, work)) = state.waiting.pop_front() {
                if deadline <= now {
                    drop(state);
                    drop(work);
                    state = self.lock();
                    continue;
                }
                state.running.insert(ticket, deadline);
                drop(state);
                // A panic drops the answer's sender, which the caller sees; the thread lives on.
                let _ = catch_unwind(AssertUnwindSafe(work));
                state = self.lock();
                state.running.remove(&ticket);
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let (returned, timeout) = self.wake.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = returned;
            state.idle -= 1;
            if timeout.timed_out() && state.waiting.is_empty() {
                break;
            }
        }
        state.alive -= 1;
    }
}

#[cfg(test)]
mod tests;

//! One change at a time to one image (or other object): the next begins when the one before has come back.
//!
//! What always holds: a call that changes an object runs only while no other change of ours to it runs, also none whose caller
//! gave it up at its deadline. Otherwise a change that is tried again would meet its own earlier attempt half-way: a clone whose
//! parent is not set yet looks like somebody else's image.
//! What it does not do: other processes' changes; those are kept apart by operations' leases and by fencing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// A pool and what is in it.
type Object = (Arc<str>, String);

/// Whose turn it is. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<HashMap<Object, Arc<tokio::sync::Mutex<()>>>>>);

/// The right to change one object, until it is dropped.
pub(crate) struct Turn {
    turns: Turns,
    object: Object,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the object's turn.
    pub(crate) async fn take(&self, pool: Arc<str>, object: String) -> Turn {
        let object = (pool, object);
        let lock = Arc::clone(self.locks().entry(object.clone()).or_default());
        // Before the wait, so that the entry goes also where the wait is given up.
        let mut turn = Turn { turns: self.clone(), object, held: None };
        turn.held = Some(lock.lock_owned().await);
        turn
    }

    fn locks(&self) -> MutexGuard<'_, HashMap<Object, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut locks = self.turns.locks();
        self.held = None;
        // Nobody holds it or waits for it but the table.
        if locks.get(&self.object).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.object);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is ready now.
    async fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        tokio::select! { biased; ready = future => Some(ready), () = std::future::ready(()) => None }
    }

    #[tokio::test]
    async fn the_next_one_waits_others_do_not_and_nothing_is_kept() {
        let turns = Turns::default();
        let take = |name: &str| turns.take("vms".into(), name.to_owned());
        let first = take("a").await;
        let mut second = Box::pin(take("a"));
        assert!(now(&mut second).await.is_none());
        let other = now(take("b")).await.unwrap();
        drop(first);
        let second = second.await;
        let mut given_up = Box::pin(take("a"));
        assert!(now(&mut given_up).await.is_none());
        drop((second, given_up, other));
        assert!(turns.locks().is_empty());
    }
}

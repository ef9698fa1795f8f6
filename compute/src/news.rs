//! What has happened on this host that operators should hear of, until the control plane has it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cuttle_model::clock::Clock;
use cuttle_model::host_event::{HostEvent, HostEventKind};
use uuid::Uuid;

/// As many as are kept while the control plane is away; then the oldest go.
const KEPT: usize = 256;

/// The events. Each goes with the next beat, and again until that is answered.
pub struct News {
    waiting: Mutex<VecDeque<HostEvent>>,
    clock: Arc<dyn Clock>,
}

impl News {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { waiting: Mutex::default(), clock }
    }

    /// Something has happened.
    pub fn tell(&self, kind: HostEventKind, message: String) {
        let mut waiting = self.waiting();
        if waiting.len() == KEPT {
            waiting.pop_front();
        }
        waiting.push_back(HostEvent { id: Uuid::new_v4(), at: self.clock.now(), kind, message });
    }

    /// The oldest that wait, no more than this many.
    pub fn oldest(&self, limit: usize) -> Vec<HostEvent> {
        self.waiting().iter().take(limit).cloned().collect()
    }

    /// The control plane has these.
    pub fn taken(&self, events: &[HostEvent]) {
        self.waiting().retain(|waiting| !events.iter().any(|taken| taken.id == waiting.id));
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<HostEvent>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use cuttle_model::clock::SystemClock;

    use super::*;

    #[test]
    fn news_wait_until_they_are_taken_and_the_oldest_go_first() {
        let news = News::new(Arc::new(SystemClock));
        for number in 0..=KEPT {
            news.tell(HostEventKind::SecretHealed, number.to_string());
        }
        let first = news.oldest(2);
        assert_eq!([&*first[0].message, &*first[1].message], ["1", "2"]);
        news.tell(HostEventKind::SecretHealed, "last".to_owned());
        news.taken(&first);
        assert_eq!(news.oldest(1)[0].message, "3");
        assert_eq!(news.oldest(1000).len(), KEPT - 1);
    }
}

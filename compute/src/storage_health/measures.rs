//! What was measured of one pool in the last seconds. Time comes from outside.

use std::collections::VecDeque;
use std::time::Duration;

use cuttle_model::storage_health::{HealthLimits, Latency, PoolHealth};

use super::link::ProbeError;

/// More samples of a window than this are not kept: the oldest go first.
const MOST_SAMPLES: usize = 1024;

/// The last answers, and what waits for one.
#[derive(Debug)]
pub struct Measures {
    window: Duration,
    reads: Samples,
    writes: Samples,
    failed: VecDeque<Duration>,
    /// Since when there is no answer to what was asked.
    waiting_since: Option<Duration>,
    problem: Option<String>,
}

impl Measures {
    pub fn new(limits: &HealthLimits) -> Self {
        Self {
            window: Duration::from_secs(limits.window_seconds),
            reads: Samples::default(),
            writes: Samples::default(),
            failed: VecDeque::new(),
            waiting_since: None,
            problem: None,
        }
    }

    /// A probe goes out.
    pub fn sent(&mut self, now: Duration) {
        self.waiting_since.get_or_insert(now);
    }

    /// What became of a write that was sent.
    pub fn wrote(&mut self, now: Duration, result: Result<Duration, ProbeError>) {
        if let Some(took) = self.settle(now, result) {
            self.writes.push(now, took);
        }
    }

    /// What became of a read that was sent.
    pub fn read(&mut self, now: Duration, result: Result<Duration, ProbeError>) {
        if let Some(took) = self.settle(now, result) {
            self.reads.push(now, took);
        }
    }

    fn settle(&mut self, now: Duration, result: Result<Duration, ProbeError>) -> Option<Duration> {
        match result {
            Ok(took) => {
                (self.waiting_since, self.problem) = (None, None);
                Some(took)
            }
            // It was answered, with a no: the path is there, and cannot be measured.
            Err(ProbeError::Refused(problem)) => {
                (self.waiting_since, self.problem) = (None, Some(problem));
                None
            }
            Err(ProbeError::NoAnswer) => {
                if self.failed.len() == MOST_SAMPLES {
                    self.failed.pop_front();
                }
                self.failed.push_back(now);
                None
            }
        }
    }

    /// What is known of the pool now.
    pub fn look(&mut self, pool: &str, now: Duration) -> PoolHealth {
        let oldest = now.saturating_sub(self.window);
        self.failed.retain(|at| *at >= oldest);
        let unanswered = self.waiting_since.map_or(Duration::ZERO, |since| now.saturating_sub(since));
        PoolHealth {
            pool: pool.to_owned(),
            read: self.reads.latency(oldest),
            write: self.writes.latency(oldest),
            failed: u32::try_from(self.failed.len()).unwrap_or(u32::MAX),
            unanswered_ms: u64::try_from(unanswered.as_millis()).unwrap_or(u64::MAX),
            problem: self.problem.clone(),
        }
    }
}

/// When answers came, and how long they took.
#[derive(Debug, Default)]
struct Samples(VecDeque<(Duration, Duration)>);

impl Samples {
    fn push(&mut self, at: Duration, took: Duration) {
        if self.0.len() == MOST_SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back((at, took));
    }

    fn latency(&mut self, oldest: Duration) -> Option<Latency> {
        while self.0.front().is_some_and(|(at, _)| *at < oldest) {
            self.0.pop_front();
        }
        let mut took: Vec<u64> = self.0.iter().map(|(_, took)| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)).collect();
        took.sort_unstable();
        // The least that so many of a hundred did not exceed.
        let at = |percent: usize| took.get((took.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(Latency { p50_us: at(50)?, p99_us: at(99)?, samples: u32::try_from(took.len()).unwrap_or(u32::MAX) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn percentiles_are_of_the_window_alone() {
        let mut measures = Measures::new(&HealthLimits { window_seconds: 10, ..HealthLimits::default() });
        for second in 0..20 {
            let now = ms(1000 * second);
            measures.sent(now);
            measures.wrote(now, Ok(ms(if second == 15 { 900 } else { second })));
        }
        let found = measures.look("vms", ms(20_000));
        assert_eq!(found.write, Some(Latency { p50_us: 14_000, p99_us: 900_000, samples: 10 }));
        assert_eq!((found.read, found.failed, found.unanswered_ms), (None, 0, 0));
        assert_eq!(measures.look("vms", ms(40_000)).write, None, "all of it is too old");
    }

    #[test]
    fn what_waits_is_counted_from_the_first_that_had_no_answer() {
        let mut measures = Measures::new(&HealthLimits::default());
        measures.sent(ms(1000));
        measures.wrote(ms(4000), Err(ProbeError::NoAnswer));
        measures.sent(ms(5000));
        let found = measures.look("vms", ms(6000));
        assert_eq!((found.unanswered_ms, found.failed), (5000, 1));
        measures.read(ms(6500), Ok(ms(1)));
        assert_eq!(measures.look("vms", ms(7000)).unanswered_ms, 0);
    }

    #[test]
    fn a_no_is_an_answer() {
        let mut measures = Measures::new(&HealthLimits::default());
        measures.sent(ms(0));
        measures.wrote(ms(1), Err(ProbeError::Refused("no such pool".into())));
        let found = measures.look("vms", ms(9000));
        assert_eq!((found.unanswered_ms, found.failed, found.problem.as_deref()), (0, 0, Some("no such pool")));
        measures.read(ms(9001), Ok(ms(1)));
        assert_eq!(measures.look("vms", ms(9002)).problem, None);
    }
}

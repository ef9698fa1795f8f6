//! Good, slow or broken: what is made of the measures. A machine of three states, whose time comes from outside.
//!
//! ```text
//!        slow for `sink`                 no answer for `broken`
//!  good ────────────────► slow      any ────────────────────────► broken
//!       ◄────────────────                 answers for `return`
//!     in order for `return`        broken ─────────────────► slow, or good if it is
//! ```
//! Slow is by percentiles of a window, so a path that is slow for three seconds and quick for three is slow all the time;
//! and broken needs longer without any answer than such a stop lasts. So neither goes to and fro with it.

use std::time::Duration;

use cuttle_model::storage_health::{HealthLimits, Latency, PathState, PoolHealth};

/// What a path that is slow by the least is worth, in thousandths, and by the most.
const SLOW: std::ops::RangeInclusive<u32> = 50..=900;
/// Quality changes by steps, so that it is not told with each beat.
const STEP: u32 = 50;

/// The machine.
#[derive(Debug)]
pub struct Verdict {
    limits: HealthLimits,
    state: Option<PathState>,
    /// Since when it is otherwise than its state says.
    slow_since: Option<Duration>,
    fine_since: Option<Duration>,
    answers_since: Option<Duration>,
}

impl Verdict {
    pub fn new(limits: HealthLimits) -> Self {
        Self { limits, state: None, slow_since: None, fine_since: None, answers_since: None }
    }

    /// The state at that time, and what it is worth in thousandths; `None` as long as nothing was seen.
    pub fn observe(&mut self, now: Duration, pools: &[PoolHealth]) -> Option<(PathState, u32)> {
        let worth = worth(pools, &self.limits);
        let unanswered = pools.iter().map(|pool| pool.unanswered_ms).max().unwrap_or(0);
        let is_slow = worth < 1000;
        let patience = self.limits.broken_seconds.saturating_mul(1000);
        let answers = unanswered <= self.limits.slow_p99_ms.min(patience / 2);
        let slow_for = lasting(&mut self.slow_since, is_slow, now);
        let fine_for = lasting(&mut self.fine_since, !is_slow, now);
        let answers_for = lasting(&mut self.answers_since, answers, now);
        let (sink, back) = (Duration::from_secs(self.limits.sink_seconds), Duration::from_secs(self.limits.return_seconds));
        let is_broken = unanswered >= patience;
        let next = match self.state {
            _ if is_broken => PathState::Broken,
            None if pools.iter().any(is_measured) => PathState::Good,
            None => return None,
            Some(PathState::Broken) if answers_for.is_some_and(|lasted| lasted >= back) => match is_slow {
                true => PathState::Slow,
                false => PathState::Good,
            },
            Some(PathState::Good) if slow_for.is_some_and(|lasted| lasted >= sink) => PathState::Slow,
            Some(PathState::Slow) if fine_for.is_some_and(|lasted| lasted >= back) => PathState::Good,
            Some(state) => state,
        };
        self.state = Some(next);
        let quality = match next {
            PathState::Good => 1000,
            PathState::Slow => (worth / STEP * STEP).clamp(*SLOW.start(), *SLOW.end()),
            PathState::Broken => 0,
        };
        Some((next, quality))
    }
}

/// For how long it has been so, if it is.
fn lasting(since: &mut Option<Duration>, is: bool, now: Duration) -> Option<Duration> {
    match is {
        true => Some(now.saturating_sub(*since.get_or_insert(now))),
        false => {
            *since = None;
            None
        }
    }
}

fn is_measured(pool: &PoolHealth) -> bool {
    pool.read.is_some() || pool.write.is_some() || pool.problem.is_some()
}

/// The worst pool's: 1000 up to what is still in order, less in the measure in which it took longer.
fn worth(pools: &[PoolHealth], limits: &HealthLimits) -> u32 {
    let ratio = |limit_ms: u64, took_us: u64| {
        let allowed = limit_ms.saturating_mul(1000);
        u32::try_from(allowed.saturating_mul(1000) / took_us.max(allowed).max(1)).unwrap_or(1000)
    };
    let of = |latency: Latency| ratio(limits.slow_p50_ms, latency.p50_us).min(ratio(limits.slow_p99_ms, latency.p99_us));
    let pool = |pool: &PoolHealth| {
        let waits = ratio(limits.slow_p99_ms, pool.unanswered_ms.saturating_mul(1000));
        pool.read.into_iter().chain(pool.write).map(of).fold(waits, u32::min)
    };
    pools.iter().map(pool).min().unwrap_or(1000)
}

/// What operators read when it has changed.
pub fn message(state: PathState, pools: &[PoolHealth], limits: &HealthLimits) -> String {
    let slow = |pool: &&PoolHealth| worth(std::slice::from_ref(pool), limits) < 1000;
    let describe = |pool: &PoolHealth| {
        let took = |name: &str, latency: Option<Latency>| {
            latency.map(|latency| format!("{name} p50 {} ms, p99 {} ms", latency.p50_us / 1000, latency.p99_us / 1000))
        };
        let unanswered = (pool.unanswered_ms > 1000).then(|| format!("no answer for {} s", pool.unanswered_ms / 1000));
        let parts = [unanswered, took("reads", pool.read), took("writes", pool.write)];
        format!("{}: {}", pool.pool, parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
    };
    let named: Vec<String> = pools.iter().filter(slow).map(describe).collect();
    match state {
        PathState::Good => "storage answers as it should".to_owned(),
        PathState::Slow => format!("storage answers slowly, or did a moment ago ({})", named.join(". ")),
        PathState::Broken => format!("storage does not answer ({})", named.join(". ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(p99_ms: u64, unanswered_ms: u64) -> PoolHealth {
        let write = Some(Latency { p50_us: 2000, p99_us: p99_ms * 1000, samples: 30 });
        PoolHealth { pool: "vms".into(), read: write, write, failed: 0, unanswered_ms, problem: None }
    }

    const GOOD: (u64, u64) = (5, 0);

    /// Lets time go by in steps of half a second, and notes each change of state with the second in which it came.
    struct Run {
        verdict: Verdict,
        now: Duration,
        changes: Vec<(u64, PathState)>,
    }

    impl Run {
        fn new() -> Self {
            Self { verdict: Verdict::new(HealthLimits::default()), now: Duration::ZERO, changes: Vec::new() }
        }

        fn go(&mut self, seconds: u64, seen: impl Fn(Duration) -> (u64, u64)) -> u32 {
            let (begun, mut worth) = (self.now, 0);
            while self.now < begun + Duration::from_secs(seconds) {
                let (p99, unanswered) = seen(self.now - begun);
                let (state, quality) = self.verdict.observe(self.now, &[pool(5, 0), pool(p99, unanswered)]).unwrap();
                if self.changes.last().map(|(_, state)| *state) != Some(state) {
                    self.changes.push((self.now.as_secs(), state));
                }
                worth = quality;
                self.now += Duration::from_millis(500);
            }
            worth
        }
    }

    use PathState::*;

    #[test]
    fn a_slow_path_sinks_after_its_time_and_returns_after_its_own() {
        let mut run = Run::new();
        run.go(10, |_| GOOD);
        assert_eq!(run.go(3, |_| (5000, 0)), 1000, "a moment changes nothing");
        run.go(10, |_| GOOD);
        assert_eq!(run.go(20, |_| (5000, 0)), 200, "a second is allowed, and it takes five");
        assert_eq!(run.go(14, |_| GOOD), 900);
        assert_eq!(run.go(20, |_| GOOD), 1000);
        assert_eq!(run.changes, [(0, Good), (28, Slow), (58, Good)]);
    }

    #[test]
    fn a_path_that_is_cut_breaks_and_returns() {
        let mut run = Run::new();
        run.go(10, |_| GOOD);
        assert_eq!(run.go(30, |since| (5, since.as_millis() as u64)), 0);
        run.go(40, |_| GOOD);
        assert_eq!(run.changes, [(0, Good), (16, Slow), (18, Broken), (55, Good)]);
    }

    /// An OSD that is stopped for three seconds and runs for three: what waits has waited for three at the most, and the
    /// window always has an answer that took so long.
    #[test]
    fn an_osd_that_stops_and_goes_moves_a_host_once() {
        let mut run = Run::new();
        run.go(10, |_| GOOD);
        let stops = |since: Duration| match since.as_millis() as u64 % 6000 {
            stopped if stopped < 3000 => (3000, stopped),
            _ => (3000, 0),
        };
        let worth = run.go(120, stops);
        assert!((300..=350).contains(&worth), "{worth}");
        run.go(60, |_| GOOD);
        assert_eq!(run.changes, [(0, Good), (15, Slow), (145, Good)]);
    }

    #[test]
    fn nothing_is_said_before_anything_was_seen() {
        let nothing = |unanswered_ms| PoolHealth { read: None, write: None, ..pool(0, unanswered_ms) };
        let mut verdict = Verdict::new(HealthLimits::default());
        assert_eq!(verdict.observe(Duration::from_secs(1), &[nothing(1000)]), None);
        assert_eq!(verdict.observe(Duration::from_secs(8), &[nothing(8000)]), Some((Broken, 0)), "a start without storage");
        let mut verdict = Verdict::new(HealthLimits::default());
        let unmeasured = PoolHealth { problem: Some("no rights".into()), ..nothing(0) };
        assert_eq!(verdict.observe(Duration::from_secs(1), &[unmeasured]), Some((Good, 1000)), "what cannot be measured");
    }

    /// Whatever is seen: a state lasts for as long as its limits say before it is left, but for breaking.
    #[test]
    fn no_state_is_left_before_its_time() {
        let limits = HealthLimits::default();
        for seed in 0..200u64 {
            let (mut state, mut mixed) = (Run::new(), seed);
            for _ in 0..60 {
                mixed = mixed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let seen = [GOOD, GOOD, (3000, 0), (5, 900), (5, 4000), (5, 9000)][(mixed >> 40) as usize % 6];
                state.go(1 + (mixed >> 50) % 6, |_| seen);
            }
            for pair in state.changes.windows(2) {
                let [(since, was), (until, is)] = pair else { unreachable!() };
                let least = match (was, is) {
                    (_, Broken) => 0,
                    (Good, _) => 0, // it was slow before it was left, which the next line says
                    (_, _) => limits.return_seconds - 1,
                };
                assert!(until - since >= least, "seed {seed}: {was:?} at {since}, {is:?} at {until}");
            }
        }
    }

    #[test]
    fn messages_name_the_pools_that_are_slow() {
        let text =
            message(Broken, &[pool(5, 0), PoolHealth { pool: "images".into(), ..pool(5, 9100) }], &HealthLimits::default());
        assert_eq!(
            text,
            "storage does not answer (images: no answer for 9 s; reads p50 2 ms, p99 5 ms; writes p50 2 ms, p99 5 ms)"
        );
    }
}

//! How well a host reaches storage: what its agent measures, and what is made of it.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crush::CrushLocation;

/// What is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathState {
    /// It answers as it should.
    Good,
    /// It answers slowly: other hosts are preferred.
    Slow,
    /// Some pool does not answer: the host takes no new instances.
    Broken,
}

impl PathState {
    pub const ALL: [Self; 3] = [Self::Good, Self::Slow, Self::Broken];

    /// The word on the wire and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Slow => "slow",
            Self::Broken => "broken",
        }
    }
}

/// What an agent says of its host's path to storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageHealth {
    pub state: PathState,
    /// Since when it is in this state, by the host's clock.
    pub since: Timestamp,
    /// In thousandths: 1000 is good, 0 is broken. It is what placement weighs.
    pub quality: u32,
    /// Where its guests are told that it stands; `None`: that is not known.
    pub crush_location: Option<CrushLocation>,
    pub pools: Vec<PoolHealth>,
}

/// What was measured of one pool, over the last seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolHealth {
    pub pool: String,
    pub read: Option<Latency>,
    /// Nothing is written to pools that hosts may only read.
    pub write: Option<Latency>,
    /// Probes that had no answer in time.
    pub failed: u32,
    /// Milliseconds since the oldest probe that waits for its answer was sent, or since answers failed to come.
    pub unanswered_ms: u64,
    /// Why it cannot be measured, if it cannot: then it counts for nothing.
    pub problem: Option<String>,
}

/// How long answers took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Microseconds.
    pub p50_us: u64,
    pub p99_us: u64,
    pub samples: u32,
}

/// What is measured how often, and what counts as bad for how long. Every key has a default, and an unknown one is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthLimits {
    /// Between two probes of a pool, each a small write and a small read. 0: nothing is measured.
    pub interval_ms: u64,
    /// Over how long latencies are counted.
    pub window_seconds: u64,
    /// A path is slow where half of the answers of the window took longer,
    pub slow_p50_ms: u64,
    /// or one in a hundred.
    pub slow_p99_ms: u64,
    /// A path that is slow for so long sinks.
    pub sink_seconds: u64,
    /// A pool that did not answer for so long breaks the path.
    pub broken_seconds: u64,
    /// A path that was in order for so long is good again.
    pub return_seconds: u64,
}

impl Default for HealthLimits {
    fn default() -> Self {
        Self {
            interval_ms: 1000,
            window_seconds: 30,
            slow_p50_ms: 100,
            slow_p99_ms: 1000,
            sink_seconds: 5,
            broken_seconds: 8,
            return_seconds: 15,
        }
    }
}

impl HealthLimits {
    /// What is wrong with it, if anything: the key, and why.
    pub fn problem(&self) -> Option<String> {
        let interval = if self.interval_ms == 0 { 0..=0 } else { 100..=60_000 };
        let ranges = [
            ("interval_ms", self.interval_ms, interval),
            ("window_seconds", self.window_seconds, 1..=600),
            ("slow_p50_ms", self.slow_p50_ms, 1..=60_000),
            ("slow_p99_ms", self.slow_p99_ms, 1..=60_000),
            ("sink_seconds", self.sink_seconds, 1..=3600),
            ("broken_seconds", self.broken_seconds, 1..=3600),
            ("return_seconds", self.return_seconds, 1..=3600),
        ];
        ranges.into_iter().find(|(_, value, range)| !range.contains(value)).map(|(key, value, range)| {
            let (least, most) = (range.start(), range.end());
            format!("`{key}` is {value}; it can be {}{least} to {most}", if key == "interval_ms" { "0, or " } else { "" })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_limits_are_named() {
        let good = HealthLimits::default();
        assert_eq!(good.problem(), None);
        assert_eq!(HealthLimits { interval_ms: 0, ..good }.problem(), None);
        assert!(HealthLimits { interval_ms: 5, ..good }.problem().unwrap().contains("0, or 100 to 60000"));
        assert!(HealthLimits { return_seconds: 0, ..good }.problem().unwrap().contains("return_seconds"));
        assert!(serde_json::from_str::<HealthLimits>(r#"{"window": 3}"#).is_err());
    }
}

//! One finding, and how it is come to: in a limited time, and timed.

use std::future::Future;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Ok,
    /// It works, and will not for long, or not as well as it could.
    Warning,
    /// It does not work.
    Broken,
}

impl Status {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Broken => "broken",
        }
    }
}

/// What was found out about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Such as `ceph pool vms`.
    pub name: String,
    pub status: Status,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    pub advice: Option<String>,
    /// How long it took to find out.
    pub took: Duration,
}

impl Check {
    pub fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { name: name.into(), status: Status::Ok, detail: detail.into(), advice: None, took: Duration::ZERO }
    }

    pub fn warning(name: impl Into<String>, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status: Status::Warning, advice: Some(advice.into()), ..Self::ok(name, detail) }
    }

    pub fn broken(name: impl Into<String>, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status: Status::Broken, advice: Some(advice.into()), ..Self::ok(name, detail) }
    }

    /// How it looks on the wire.
    pub fn view(&self) -> Value {
        json!({
            "name": self.name,
            "status": self.status.as_str(),
            "detail": self.detail,
            "advice": self.advice,
            "milliseconds": u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX) as f64 / 1000.0,
        })
    }
}

/// Takes a look, and says how long it took. `name` and `advice` are for when it comes to no end.
pub async fn timed(name: &str, advice: &str, look: impl Future<Output = Vec<Check>>) -> Vec<Check> {
    within(PATIENCE, name, advice, look).await
}

async fn within(patience: Duration, name: &str, advice: &str, look: impl Future<Output = Vec<Check>>) -> Vec<Check> {
    let begun = Instant::now();
    let mut checks = match timeout(patience, look).await {
        Ok(checks) => checks,
        Err(_) => vec![Check::broken(name, format!("no answer within {} s", patience.as_secs()), advice)],
    };
    let took = begun.elapsed();
    for check in &mut checks {
        check.took = took;
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_hangs_is_broken_and_said_so() {
        let patience = Duration::from_millis(1);
        let checks = within(patience, "ceph", "look at the network", std::future::pending()).await;
        assert_eq!((checks[0].status, checks[0].detail.as_str()), (Status::Broken, "no answer within 0 s"));
        assert!(checks[0].took >= patience);
    }
}

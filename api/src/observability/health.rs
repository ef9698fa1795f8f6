//! Liveness and readiness.
//!
//! A node is alive if it answers at all: restarting it because Ceph is away would help nobody. It is ready
//! if database, Ceph and its own lease are in order; a load balancer sends requests to nodes that are.
//! However often that is asked, it is looked at once a second at the most.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use cuttle_operations::{Check, Control, health};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(1);

/// What was found, and when.
type Looked = (Instant, Vec<Check>);

/// What was found out last. Cloning is cheap.
#[derive(Clone)]
pub struct Readiness {
    control: Control,
    last: Arc<Mutex<Option<Looked>>>,
}

impl Readiness {
    pub fn new(control: Control) -> Self {
        Self { control, last: Arc::default() }
    }

    /// Each part that is needed.
    pub async fn checks(&self) -> Vec<Check> {
        // Held while looking: whoever asks meanwhile gets the same answer.
        let mut last = self.last.lock().await;
        match &*last {
            Some((at, checks)) if at.elapsed() < FRESH => checks.clone(),
            _ => {
                let checks = health::look(&self.control).await;
                *last = Some((Instant::now(), checks.clone()));
                checks
            }
        }
    }
}

/// `GET /healthz`.
pub async fn alive() -> impl IntoResponse {
    Json(json!({ "status": "alive" }))
}

/// `GET /healthz/ready`. Why a part fails is in the log, and not for everybody.
pub async fn ready(State(readiness): State<Readiness>) -> impl IntoResponse {
    let checks = readiness.checks().await;
    let is_ready = checks.iter().all(|check| check.problem.is_none());
    let word = |check: &Check| if check.problem.is_none() { "ok" } else { "failed" };
    let shown: Map<String, Value> = checks
        .iter()
        .map(|check| {
            let milliseconds = u64::try_from(check.took.as_millis()).unwrap_or(u64::MAX);
            (check.name.to_owned(), json!({ "status": word(check), "milliseconds": milliseconds }))
        })
        .collect();
    let (status, word) = if is_ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    (status, Json(json!({ "status": word, "checks": shown })))
}

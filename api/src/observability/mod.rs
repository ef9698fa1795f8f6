//! What a machine asks of a control node: whether it lives and may be sent requests, and numbers.
//!
//! `/healthz` and `/healthz/ready` are on the public listener too, for load balancers, and say nothing there
//! but which part fails. Numbers are on a listener of their own, on the loopback address by default.

pub mod health;
pub mod metrics;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use cuttle_operations::Control;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::shared::Shared;
use health::Readiness;

/// Numbers and health, for the metrics listener.
pub fn router(shared: Shared, readiness: Readiness, recorder: PrometheusHandle) -> Router {
    let numbers = get(async move |State(shared): State<Shared>| {
        let text = recorder.render() + &metrics::present(&shared).await;
        ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
    });
    Router::new().route("/metrics", numbers).with_state(shared).merge(health_routes(Some(readiness)))
}

/// Whether this node lives, and (where it is known how to find out) whether it is ready.
pub fn health_routes(readiness: Option<Readiness>) -> Router {
    let router = Router::new().route("/healthz", get(health::alive));
    match readiness {
        None => router,
        Some(readiness) => router.route("/healthz/ready", get(health::ready).with_state(readiness)),
    }
}

/// How readiness is found out on a node that works.
pub fn readiness(control: &Control) -> Readiness {
    Readiness::new(control.clone())
}

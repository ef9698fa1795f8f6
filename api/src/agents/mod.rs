//! What hosts' agents say and are told, on a listener of their own.
//!
//! Always true: each request but the one to join comes over a connection on which the host has shown
//! its certificate, and the database is asked each time whether that one is still honoured; what a host
//! says counts for that host alone. No answer but the one to `hello` carries a key, and it is never
//! logged.

pub mod certificate;
pub mod commands;
pub mod host;
pub mod join;
pub mod messages;
pub mod peer;
pub mod tls;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use cuttle_compute_protocol::path;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::error;
use crate::shared::Controlled;

/// The largest message, in bytes: a hello names every guest of its host.
const MAX_BYTES: usize = 4 << 20;

/// The agents' routes.
pub fn router(state: Controlled) -> Router {
    let shared = state.shared.clone();
    let routes = Router::new()
        .route(path::HELLO, post(messages::hello))
        .route(path::BEAT, post(messages::beat))
        .route(path::REPORTS, post(messages::report))
        .route(path::GUESTS, post(messages::guests))
        .route(path::COMMANDS, get(commands::stream))
        .with_state(state)
        .route(path::CERTIFICATE, post(certificate::renew).with_state(shared.clone()))
        .route_layer(from_fn_with_state(shared.clone(), host::authenticate))
        // Below the layer: a host that joins has no certificate yet.
        .route(path::JOIN, post(join::handle).with_state(shared));
    let layers = ServiceBuilder::new()
        .layer(axum::middleware::from_fn(async |request, next| {
            error::render(crate::web::routes::Service::Identity, request, next).await
        }))
        .layer(CatchPanicLayer::custom(error::from_panic))
        .layer(DefaultBodyLimit::max(MAX_BYTES));
    routes.layer(layers)
}

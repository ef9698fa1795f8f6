//! The operator's API, `/operator/v1`: hosts, operations and the state of the cloud itself, for the
//! `cuttle` command. OpenStack has no API for these; the shapes are ours, and errors look like Keystone's.
//!
//! Always true: each route is for administrators of the cloud, in whatever project their token is.
//! A directory for each resource, a file for each endpoint; `view.rs` is how the resource looks.

pub mod hosts;

use axum::Router;
use axum::middleware::from_fn;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::error;
use crate::shared::Shared;
use crate::web::routes::{Routes, Service};

/// Every route below `/v1` that needs no Ceph.
pub fn plain_routes(shared: &Shared) -> Routes<Shared> {
    hosts::routes(shared)
}

/// The service around these routes of `/v1`.
pub fn service(routes: Router) -> Router {
    let layers = ServiceBuilder::new()
        .layer(from_fn(async |request, next| error::render(Service::Operator, request, next).await))
        .layer(CatchPanicLayer::custom(error::from_panic));
    // A method that a path does not have is a route that is not there.
    Router::new()
        .nest_service("/v1", routes.method_not_allowed_fallback(not_found).fallback(not_found))
        .fallback(not_found)
        .layer(layers)
}

async fn not_found() -> error::ApiError {
    error::ApiError::NotFound("The resource could not be found.".into())
}

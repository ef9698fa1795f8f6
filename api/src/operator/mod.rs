//! The operator's API, `/operator/v1`: hosts, operations and the state of the cloud itself, for the
//! `cuttle` command. OpenStack has no API for these; the shapes are ours, and errors look like Keystone's.
//!
//! Always true: each route is for administrators of the cloud, in whatever project their token is.
//! A directory for each resource, a file for each endpoint; `view.rs` is how the resource looks.

pub mod doctor;
pub mod hosts;
pub mod instances;
pub mod operations;
pub mod placement;
pub mod reconcile;

use std::fmt::Display;
use std::str::FromStr;

use axum::Router;
use axum::middleware::from_fn;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::error::{self, ApiError};
use crate::shared::{Controlled, Shared};
use crate::web::query::Pairs;
use crate::web::routes::{Routes, Service};
use crate::web::validation::shown;

/// Every route below `/v1` that needs no Ceph.
pub fn plain_routes(shared: &Shared) -> Routes<Shared> {
    hosts::routes(shared).merge(instances::routes(shared)).merge(operations::routes(shared))
}

/// Every route below `/v1` that works with Ceph.
pub fn controlled_routes(shared: &Shared) -> Routes<Controlled> {
    doctor::routes(shared)
        .merge(hosts::controlled_routes(shared))
        .merge(reconcile::routes(shared))
        .merge(placement::routes(shared))
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

async fn not_found() -> ApiError {
    ApiError::NotFound("The resource could not be found.".into())
}

/// A key of the query that may be given once, as the id that it is meant to be.
fn parsed<T: FromStr>(query: &Pairs, key: &str) -> Result<Option<T>, ApiError>
where
    T::Err: Display,
{
    let Some(text) = query.one(key)? else { return Ok(None) };
    text.parse().map(Some).map_err(|why| ApiError::invalid(key, shown(&text.into()), format_args!("{why}.")))
}

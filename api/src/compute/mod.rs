//! Compute v2.1: flavors, servers, keypairs, and what administrators see of hosts.
//!
//! A directory for each resource, a file for each endpoint; `view.rs` is how the resource looks on
//! the wire at each microversion, `schema.rs` what a request may hold.

pub mod aggregates;
pub mod availability_zones;
pub mod discovery;
pub mod flavors;
pub mod hosts;
pub mod hypervisors;
pub mod keypairs;
pub mod links;
pub mod microversion;
pub mod migrations;
pub mod quotas;
pub mod server_groups;
pub mod servers;
pub mod services;
pub mod usage;

use axum::Router;
use axum::middleware::{from_fn, map_request};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::error;
use crate::shared::{Controlled, Shared};
use crate::web::path::take_project;
use crate::web::routes::{Access, Routes, Service};

/// Every route below `/v2.1` that needs no Ceph.
pub fn plain_routes(shared: &Shared) -> Routes<Shared> {
    let routes = Routes::new(shared, Service::Compute, "/v2.1").get("/", Access::Public, discovery::v2_1);
    routes
        .merge(flavors::routes(shared))
        .merge(servers::plain_routes(shared))
        .merge(keypairs::routes(shared))
        .merge(quotas::routes(shared))
        .merge(aggregates::routes(shared))
        .merge(server_groups::routes(shared))
        .merge(availability_zones::routes(shared))
        .merge(services::routes(shared))
        .merge(usage::routes(shared))
        .merge(hypervisors::routes(shared))
        .merge(migrations::routes(shared))
}

/// The others.
pub fn controlled_routes(shared: &Shared) -> Routes<Controlled> {
    servers::controlled_routes(shared)
}

/// The versions document, which is above `/v2.1`.
pub fn root_routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "").get("/", Access::Public, discovery::versions)
}

/// The service around these routes of `/v2.1`.
pub fn service(shared: &Shared, routes: Router) -> Router {
    let v2_1 = routes.method_not_allowed_fallback(not_found).fallback(not_found);
    // The path is rewritten before it is routed, so this layer is around the router.
    let v2_1 = ServiceBuilder::new().layer(map_request(async |request| take_project(request))).service(v2_1);
    let root = root_routes(shared).with_state(shared.clone()).into_router();
    let layers = ServiceBuilder::new()
        .layer(from_fn(compute_request_id))
        .layer(from_fn(async |request, next| error::render(Service::Compute, request, next).await))
        .layer(from_fn(microversion::negotiate))
        .layer(CatchPanicLayer::custom(error::from_panic));
    // A method that a path does not have is a route that is not there.
    root.method_not_allowed_fallback(not_found).nest_service("/v2.1", v2_1).fallback(not_found).layer(layers)
}

async fn not_found() -> error::ApiError {
    error::ApiError::NotFound("The resource could not be found.".into())
}

/// Nova gives the request's id under a second name too.
async fn compute_request_id(request: axum::extract::Request, next: axum::middleware::Next) -> axum::response::Response {
    let id = request.extensions().get::<cuttle_model::ids::RequestId>().cloned();
    let mut response = next.run(request).await;
    if let Some(value) = id.and_then(|id| axum::http::HeaderValue::from_str(id.as_str()).ok()) {
        response.headers_mut().insert("x-compute-request-id", value);
    }
    response
}

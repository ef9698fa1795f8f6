//! The public listener: every service under its path.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, http::StatusCode};
use serde_json::json;

use crate::observability::health::Readiness;
use crate::observability::health_routes;
use crate::shared::{Controlled, Shared};
use crate::web::request_id::identify;
use crate::web::routes::{Route, Service};
use crate::{compute, identity, image, openapi, operator};

/// All services, with all their routes.
pub fn router(state: Controlled, readiness: Readiness) -> Router {
    let shared = state.shared.clone();
    let compute = compute::plain_routes(&shared)
        .with_state(shared.clone())
        .merge(compute::controlled_routes(&shared).with_state(state.clone()));
    let image = image::plain_routes(&shared)
        .with_state(shared.clone())
        .merge(image::controlled_routes(&shared).with_state(state.clone()));
    let operator =
        operator::plain_routes(&shared).with_state(shared.clone()).merge(operator::controlled_routes(&shared).with_state(state));
    let services = assemble(&shared, compute.into_router(), image.into_router(), operator.into_router());
    finish(&shared, services, health_routes(Some(readiness)))
}

/// The services without what needs Ceph.
pub fn router_without_ceph(shared: &Shared) -> Router {
    let compute = compute::plain_routes(shared).with_state(shared.clone());
    let image = image::plain_routes(shared).with_state(shared.clone());
    let operator = operator::plain_routes(shared).with_state(shared.clone());
    let services = assemble(shared, compute.into_router(), image.into_router(), operator.into_router());
    finish(shared, services, health_routes(None))
}

fn assemble(shared: &Shared, compute: Router, image: Router, operator: Router) -> Router {
    let identity = identity::routes(shared).with_state(shared.clone()).into_router();
    Router::new()
        .nest_service(Service::Identity.prefix(), identity::service(shared, identity))
        .nest_service(Service::Compute.prefix(), compute::service(shared, compute))
        .nest_service(Service::Image.prefix(), image::service(shared, image))
        .nest_service(Service::Operator.prefix(), operator::service(operator))
}

/// What is around all services.
fn finish(shared: &Shared, services: Router, health: Router) -> Router {
    let shown = shared.clone();
    let document = Router::new().route("/openapi.json", get(move || openapi::serve(shown)));
    services.merge(health).merge(document).fallback(nothing).layer(from_fn_with_state(shared.clone(), identify))
}

async fn nothing() -> impl IntoResponse {
    let services: Vec<&str> = Service::ALL.into_iter().map(Service::prefix).collect();
    (
        StatusCode::NOT_FOUND,
        Json(json!({ "error": { "code": 404, "title": "Not Found", "message": "No service is here.", "services": services } })),
    )
}

/// Every route of every service.
pub fn table(shared: &Shared) -> Vec<Route> {
    let mut table = table_without_ceph(shared);
    table.extend_from_slice(compute::controlled_routes(shared).table());
    table.extend_from_slice(image::controlled_routes(shared).table());
    table.extend_from_slice(operator::controlled_routes(shared).table());
    sorted(table)
}

/// The routes that need no Ceph.
pub fn table_without_ceph(shared: &Shared) -> Vec<Route> {
    let mut table = Vec::new();
    table.extend_from_slice(identity::root_routes(shared).table());
    table.extend_from_slice(identity::routes(shared).table());
    table.extend_from_slice(compute::root_routes(shared).table());
    table.extend_from_slice(compute::plain_routes(shared).table());
    table.extend_from_slice(image::root_routes(shared).table());
    table.extend_from_slice(image::plain_routes(shared).table());
    table.extend_from_slice(operator::plain_routes(shared).table());
    sorted(table)
}

fn sorted(mut table: Vec<Route>) -> Vec<Route> {
    table.sort_by(|a, b| (a.service, &a.path, a.method.as_str()).cmp(&(b.service, &b.path, b.method.as_str())));
    table
}

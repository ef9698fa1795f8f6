//! Identity v3: passwords into tokens, and what a token's holder may read of users and projects.
//!
//! There is one domain, `default`. Users, projects and roles are made by `cuttle-api init`; the
//! routes that change them are not there yet.

pub mod catalog;
pub mod discovery;
pub mod domains;
pub mod passwords;
pub mod projects;
pub mod roles;
pub mod tokens;
pub mod users;

use axum::Router;
use axum::middleware::from_fn;
use serde_json::{Value, json};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::error;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::routes::{Access, Routes, Service};

/// Every route below `/v3`.
pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Identity, "/v3")
        .get("/", Access::Public, discovery::v3)
        .post("/auth/tokens", Access::Public, tokens::issue::handle)
        .get("/auth/tokens", Access::Token, tokens::show::handle)
        .delete("/auth/tokens", Access::Token, tokens::revoke::handle)
        .get("/auth/catalog", Access::Token, catalog::show)
        .get("/auth/projects", Access::Token, projects::mine)
        .get("/auth/domains", Access::Token, domains::mine)
        .get("/projects", Access::Admin, projects::list)
        .get("/projects/{id}", Access::Token, projects::show)
        .get("/users", Access::Admin, users::list)
        .get("/users/{id}", Access::Token, users::show)
        .get("/users/{id}/projects", Access::Token, projects::of_user)
        .get("/roles", Access::Admin, roles::list)
        .get("/roles/{id}", Access::Admin, roles::show)
        .get("/domains", Access::Token, domains::list)
        .get("/domains/{id}", Access::Token, domains::show)
}

/// The versions document, which is above `/v3`.
pub fn root_routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Identity, "").get("/", Access::Public, discovery::versions)
}

/// The service around these routes of `/v3`.
pub fn service(shared: &Shared, routes: Router) -> Router {
    let root = root_routes(shared).with_state(shared.clone()).into_router();
    let layers = ServiceBuilder::new()
        .layer(from_fn(async |request, next| error::render(Service::Identity, request, next).await))
        .layer(CatchPanicLayer::custom(error::from_panic));
    // A method that a path does not have is a route that is not there.
    root.method_not_allowed_fallback(not_found)
        .nest_service("/v3", routes.method_not_allowed_fallback(not_found).fallback(not_found))
        .fallback(not_found)
        .layer(layers)
}

async fn not_found() -> error::ApiError {
    error::ApiError::NotFound("The resource could not be found.".into())
}

/// A list in Keystone's envelope. All of it is one page.
fn envelope(address: &Address, path: &str, collection: &str, items: Vec<Value>) -> Value {
    json!({ collection: items, "links": { "self": address.url(&format!("/identity/v3{path}")), "previous": null, "next": null } })
}

/// A resource's links.
fn self_link(address: &Address, collection: &str, id: &str) -> Value {
    json!({ "self": address.url(&format!("/identity/v3/{collection}/{id}")) })
}

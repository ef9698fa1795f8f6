//! Identity v3: passwords and application credentials into tokens; projects, users, roles and who has
//! which role where.
//!
//! There is one domain, `default`, and there are no groups and no roles outside of projects. Whatever voids
//! a token voids it at once: in the transaction that changes it, and in every node's memory
//! ([`tokens::cache`]).

pub mod application_credentials;
pub mod assignments;
pub mod catalog;
pub mod discovery;
pub mod domains;
pub mod passwords;
pub mod projects;
pub mod regions;
pub mod roles;
pub mod schema;
pub mod throttle;
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
    token_routes(shared).merge(account_routes(shared)).merge(role_routes(shared)).merge(catalog_routes(shared))
}

fn base(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Identity, "/v3")
}

fn token_routes(shared: &Shared) -> Routes<Shared> {
    base(shared)
        .get("/", Access::Public, discovery::v3)
        .post("/auth/tokens", Access::Public, tokens::issue::handle)
        .takes(&tokens::request::SCHEMA)
        .get("/auth/tokens", Access::Token, tokens::show::handle)
        .delete("/auth/tokens", Access::Token, tokens::revoke::handle)
        .get("/auth/catalog", Access::Token, catalog::show)
        .get("/auth/projects", Access::Token, projects::mine)
        .get("/auth/domains", Access::Token, domains::mine)
}

fn account_routes(shared: &Shared) -> Routes<Shared> {
    const CREDENTIALS: &str = "/users/{id}/application_credentials";
    const CREDENTIAL: &str = "/users/{id}/application_credentials/{credential_id}";
    base(shared)
        .get("/projects", Access::Admin, projects::list)
        .post("/projects", Access::Admin, projects::change::create)
        .takes(&schema::CREATE_PROJECT)
        .get("/projects/{id}", Access::Token, projects::show)
        .patch("/projects/{id}", Access::Admin, projects::change::update)
        .takes(&schema::UPDATE_PROJECT)
        .delete("/projects/{id}", Access::Admin, projects::change::delete)
        .get("/users", Access::Admin, users::list)
        .post("/users", Access::Admin, users::change::create)
        .takes(&schema::CREATE_USER)
        .get("/users/{id}", Access::Token, users::show)
        .patch("/users/{id}", Access::Admin, users::change::update)
        .takes(&schema::UPDATE_USER)
        .delete("/users/{id}", Access::Admin, users::change::delete)
        .post("/users/{id}/password", Access::Public, users::password::change)
        .takes(&schema::CHANGE_PASSWORD)
        .get("/users/{id}/projects", Access::Token, projects::of_user)
        .get(CREDENTIALS, Access::Token, application_credentials::list)
        .post(CREDENTIALS, Access::Token, application_credentials::create::handle)
        .takes(&schema::CREATE_APPLICATION_CREDENTIAL)
        .get(CREDENTIAL, Access::Token, application_credentials::show)
        .delete(CREDENTIAL, Access::Token, application_credentials::delete)
}

fn role_routes(shared: &Shared) -> Routes<Shared> {
    const ASSIGNMENT: &str = "/projects/{id}/users/{user_id}/roles/{role_id}";
    base(shared)
        .get("/roles", Access::Admin, roles::list)
        .post("/roles", Access::Admin, roles::change::create)
        .takes(&schema::CREATE_ROLE)
        .get("/roles/{id}", Access::Admin, roles::show)
        .patch("/roles/{id}", Access::Admin, roles::change::update)
        .takes(&schema::UPDATE_ROLE)
        .delete("/roles/{id}", Access::Admin, roles::change::delete)
        .get("/role_assignments", Access::Admin, assignments::list)
        .get("/projects/{id}/users/{user_id}/roles", Access::Admin, assignments::of_user)
        .get(ASSIGNMENT, Access::Admin, assignments::check)
        .put(ASSIGNMENT, Access::Admin, assignments::assign)
        .delete(ASSIGNMENT, Access::Admin, assignments::unassign)
}

fn catalog_routes(shared: &Shared) -> Routes<Shared> {
    base(shared)
        .get("/domains", Access::Token, domains::list)
        .get("/domains/{id}", Access::Token, domains::show)
        .get("/services", Access::Admin, regions::services)
        .get("/services/{id}", Access::Admin, regions::service)
        .get("/endpoints", Access::Admin, regions::endpoints)
        .get("/endpoints/{id}", Access::Admin, regions::endpoint)
        .get("/regions", Access::Token, regions::list)
        .get("/regions/{id}", Access::Token, regions::show)
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

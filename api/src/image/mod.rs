//! Image v2: images by name, and their data as a stream. Bodies are flat: custom properties stand
//! beside the image's own fields.

pub mod discovery;
pub mod images;
pub mod schemas;

use axum::Router;
use axum::middleware::from_fn;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::error;
use crate::shared::{Controlled, Shared};
use crate::web::routes::{Access, Routes, Service};

/// Every route below `/v2` that needs no Ceph.
pub fn plain_routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Image, "/v2")
        .get("/", Access::Public, discovery::v2)
        .get("/images", Access::Reader, images::list::handle)
        .post("/images", Access::Member, images::create::handle)
        .takes(&images::fields::SCHEMA)
        .get("/images/{id}", Access::Reader, images::show::handle)
        .patch("/images/{id}", Access::Member, images::update::handle)
        .put("/images/{id}/tags/{tag}", Access::Member, images::tags::add)
        .delete("/images/{id}/tags/{tag}", Access::Member, images::tags::remove)
        .post("/images/{id}/actions/deactivate", Access::Member, images::actions::deactivate)
        .post("/images/{id}/actions/reactivate", Access::Member, images::actions::reactivate)
        .get("/images/{id}/members", Access::Reader, images::members::list)
        .post("/images/{id}/members", Access::Member, images::members::create)
        .takes(&images::members::CREATE)
        .get("/images/{id}/members/{member}", Access::Reader, images::members::show)
        .put("/images/{id}/members/{member}", Access::Member, images::members::update)
        .takes(&images::members::UPDATE)
        .delete("/images/{id}/members/{member}", Access::Member, images::members::delete)
        .get("/schemas/image", Access::Token, schemas::image)
        .get("/schemas/images", Access::Token, schemas::images)
        .get("/schemas/member", Access::Token, schemas::member)
        .get("/schemas/members", Access::Token, schemas::members)
}

/// The others.
pub fn controlled_routes(shared: &Shared) -> Routes<Controlled> {
    Routes::new(shared, Service::Image, "/v2")
        .get("/images/{id}/file", Access::Reader, images::download::handle)
        .put("/images/{id}/file", Access::Member, images::upload::handle)
        .delete("/images/{id}", Access::Member, images::delete::handle)
}

/// The versions documents, which are above `/v2`.
pub fn root_routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Image, "").get("/", Access::Public, discovery::root).get(
        "/versions",
        Access::Public,
        discovery::versions,
    )
}

/// The service around these routes of `/v2`.
pub fn service(shared: &Shared, routes: Router) -> Router {
    let root = root_routes(shared).with_state(shared.clone()).into_router();
    let layers = ServiceBuilder::new()
        .layer(from_fn(async |request, next| error::render(Service::Image, request, next).await))
        .layer(CatchPanicLayer::custom(error::from_panic));
    // A method that a path does not have is a route that is not there.
    root.method_not_allowed_fallback(not_found)
        .nest_service("/v2", routes.method_not_allowed_fallback(not_found).fallback(not_found))
        .fallback(not_found)
        .layer(layers)
}

async fn not_found() -> error::ApiError {
    error::ApiError::NotFound("The resource could not be found.".into())
}

//! Operations of all projects: what is being done, what was, and step by step how.

mod cancel;
mod list;
mod show;
mod stream;
pub mod view;
mod watch;

use crate::shared::Shared;
use crate::web::routes::{Access, Routes, Service};

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Operator, "/v1")
        .get("/operations", Access::Admin, list::handle)
        .get("/operations/watch", Access::Admin, watch::all)
        .get("/operations/{id}", Access::Admin, show::handle)
        .get("/operations/{id}/watch", Access::Admin, watch::one)
        .post("/operations/{id}/cancel", Access::Admin, cancel::handle)
}

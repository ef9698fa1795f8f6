//! Instances of all projects, with what only operators see: where they are, their epochs, their disks.

mod events;
mod list;
mod placement;
mod show;
mod view;

use crate::shared::Shared;
use crate::web::routes::{Access, Routes, Service};

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Operator, "/v1")
        .get("/instances", Access::Admin, list::handle)
        .get("/instances/{id}", Access::Admin, show::handle)
        .get("/instances/{id}/events", Access::Admin, events::handle)
        .get("/instances/{id}/placement", Access::Admin, placement::handle)
}

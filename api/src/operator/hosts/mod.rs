//! Compute hosts, by their names.

mod administer;
mod drain;
mod events;
mod join;
mod list;
mod remove;
mod show;
mod view;

use crate::shared::{Controlled, Shared};
use crate::web::routes::{Access, Routes, Service};

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Operator, "/v1")
        .get("/hosts", Access::Admin, list::handle)
        .post("/hosts", Access::Admin, join::add)
        .takes(&join::ADD)
        .get("/hosts/{name}", Access::Admin, show::handle)
        .get("/hosts/{name}/events", Access::Admin, events::handle)
        .post("/hosts/{name}/rejoin", Access::Admin, join::rejoin)
        .takes(&join::REJOIN)
        .post("/hosts/{name}/disable", Access::Admin, administer::disable)
        .post("/hosts/{name}/enable", Access::Admin, administer::enable)
}

/// Those that change something in Ceph, or begin operations.
pub fn controlled_routes(shared: &Shared) -> Routes<Controlled> {
    Routes::new(shared, Service::Operator, "/v1")
        .delete("/hosts/{name}", Access::Admin, remove::remove)
        .post("/hosts/{name}/drain", Access::Admin, drain::drain)
        .takes(&drain::DRAIN)
        .post("/hosts/{name}/undrain", Access::Admin, drain::undrain)
        .takes(&drain::UNDRAIN)
        .post("/hosts/{name}/rotate-key", Access::Admin, remove::rotate_key)
        .takes(&remove::ROTATE)
}

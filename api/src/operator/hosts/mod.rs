//! Compute hosts, by their names.

mod administer;
mod events;
mod join;
mod list;
mod show;
mod view;

use crate::shared::Shared;
use crate::web::routes::{Access, Routes, Service};

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Operator, "/v1")
        .get("/hosts", Access::Admin, list::handle)
        .post("/hosts", Access::Admin, join::add)
        .get("/hosts/{name}", Access::Admin, show::handle)
        .get("/hosts/{name}/events", Access::Admin, events::handle)
        .post("/hosts/{name}/rejoin", Access::Admin, join::rejoin)
        .post("/hosts/{name}/disable", Access::Admin, administer::disable)
        .post("/hosts/{name}/enable", Access::Admin, administer::enable)
}

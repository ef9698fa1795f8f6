//! Compute hosts, by their names.

mod administer;
mod list;
mod show;
mod view;

use crate::shared::Shared;
use crate::web::routes::{Access, Routes, Service};

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Operator, "/v1")
        .get("/hosts", Access::Admin, list::handle)
        .get("/hosts/{name}", Access::Admin, show::handle)
        .post("/hosts/{name}/disable", Access::Admin, administer::disable)
        .post("/hosts/{name}/enable", Access::Admin, administer::enable)
}

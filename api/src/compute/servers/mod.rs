//! Servers: instances as the compute API shows them.

pub mod action;
pub mod boot;
pub mod create;
pub mod delete;
pub mod filter;
pub mod list;
pub mod schema;
pub mod show;
pub mod sort;
pub mod view;

use cuttle_model::ids::InstanceId;
use cuttle_model::instance::{Instance, StateName};

use crate::error::ApiError;
use crate::shared::{Controlled, Shared};
use crate::web::caller::Caller;
use crate::web::routes::{Access, Routes, Service};

/// What only reads.
pub fn plain_routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1")
        .get("/servers", Access::Reader, list::brief)
        .get("/servers/detail", Access::Reader, list::detail)
        .get("/servers/{id}", Access::Reader, show::handle)
}

/// What changes something, or asks a host.
pub fn controlled_routes(shared: &Shared) -> Routes<Controlled> {
    Routes::new(shared, Service::Compute, "/v2.1")
        .post("/servers", Access::Member, create::handle)
        .takes(&schema::CREATE)
        .delete("/servers/{id}", Access::Member, delete::handle)
        .post("/servers/{id}/action", Access::Member, action::handle)
}

/// The instance, if it exists for the caller.
pub async fn get(shared: &Shared, caller: &Caller, id: InstanceId) -> Result<Instance, ApiError> {
    let instance = shared.database.get_instance(id).await?;
    instance
        .filter(|instance| instance.state.name() != StateName::Deleted && caller.may_see(instance.project_id))
        .ok_or_else(|| ApiError::NotFound(format!("Instance {id} could not be found.")))
}

//! Servers: instances as the compute API shows them.

pub mod action;
pub mod actions;
pub mod boot;
pub mod change;
pub mod create;
pub mod delete;
pub mod detail;
pub mod filter;
pub mod hints;
pub mod list;
pub mod lock;
pub mod metadata;
mod moves;
pub mod schema;
pub mod several;
pub mod show;
pub mod sort;
pub mod tags;
pub mod update;
pub mod view;

use cuttle_model::ids::InstanceId;
use cuttle_model::instance::{Instance, StateName};

use crate::error::ApiError;
use crate::shared::{Controlled, Shared};
use crate::web::caller::Caller;
use crate::web::routes::{Access, Routes, Service};

/// What only reads, or changes what the guest does not feel.
pub fn plain_routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1")
        .get("/servers", Access::Reader, list::brief)
        .get("/servers/detail", Access::Reader, list::detail)
        .get("/servers/{id}", Access::Reader, show::handle)
        .put("/servers/{id}", Access::Member, update::handle)
        .takes(&schema::UPDATE)
        .get("/servers/{id}/metadata", Access::Reader, metadata::list)
        .post("/servers/{id}/metadata", Access::Member, metadata::add)
        .takes(&schema::METADATA)
        .put("/servers/{id}/metadata", Access::Member, metadata::replace)
        .takes(&schema::METADATA)
        .get("/servers/{id}/metadata/{key}", Access::Reader, metadata::show)
        .put("/servers/{id}/metadata/{key}", Access::Member, metadata::set)
        .takes(&schema::META)
        .delete("/servers/{id}/metadata/{key}", Access::Member, metadata::delete)
        .get("/servers/{id}/os-instance-actions", Access::Reader, actions::list)
        .get("/servers/{id}/os-instance-actions/{key}", Access::Reader, actions::show)
        .get("/servers/{id}/tags", Access::Reader, tags::list)
        .put("/servers/{id}/tags", Access::Member, tags::replace)
        .takes(&schema::TAGS)
        .delete("/servers/{id}/tags", Access::Member, tags::delete_all)
        .get("/servers/{id}/tags/{key}", Access::Reader, tags::show)
        .put("/servers/{id}/tags/{key}", Access::Member, tags::add)
        .delete("/servers/{id}/tags/{key}", Access::Member, tags::delete)
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

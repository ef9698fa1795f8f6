//! Flavors: the sizes that instances are made in. Everybody sees public ones, and a project those private
//! ones that it was given access to; administrators see and change all.

pub mod access;
pub mod create;
pub mod delete;
pub mod extra_specs;
pub mod list;
pub mod namespaces;
pub mod schema;
pub mod show;
pub mod update;
pub mod view;

use std::str::FromStr;

use cuttle_model::flavor::{Flavor, FlavorId};

use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::caller::Caller;
use crate::web::routes::{Access, Routes, Service};

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1")
        .get("/flavors", Access::Reader, list::brief)
        .post("/flavors", Access::Admin, create::handle)
        .takes(&schema::CREATE)
        .get("/flavors/detail", Access::Reader, list::detail)
        .get("/flavors/{id}", Access::Reader, show::handle)
        .put("/flavors/{id}", Access::Admin, update::handle)
        .takes(&schema::UPDATE)
        .delete("/flavors/{id}", Access::Admin, delete::handle)
        .post("/flavors/{id}/action", Access::Admin, access::action)
        .get("/flavors/{id}/os-flavor-access", Access::Admin, access::list)
        .get("/flavors/{id}/os-extra_specs", Access::Reader, extra_specs::list)
        .post("/flavors/{id}/os-extra_specs", Access::Admin, extra_specs::add)
        .takes(&schema::EXTRA_SPECS)
        .get("/flavors/{id}/os-extra_specs/{key}", Access::Reader, extra_specs::show)
        .put("/flavors/{id}/os-extra_specs/{key}", Access::Admin, extra_specs::set)
        .takes(&schema::EXTRA_SPEC)
        .delete("/flavors/{id}/os-extra_specs/{key}", Access::Admin, extra_specs::delete)
}

/// A flavor's id in a path: any short text.
#[derive(Debug, Clone)]
pub struct Id(pub FlavorId);

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.chars().count() <= 255 {
            true => Ok(Self(FlavorId(text.to_owned()))),
            false => Err(()),
        }
    }
}

/// The flavor, if the caller may see it.
pub async fn find(shared: &Shared, caller: &Caller, id: &FlavorId) -> Result<Option<Flavor>, ApiError> {
    let Some(flavor) = shared.database.get_flavor(id).await? else { return Ok(None) };
    let is_open = flavor.is_public || caller.is_admin();
    match is_open || shared.database.has_flavor_access(id, caller.project_id()?).await? {
        true => Ok(Some(flavor)),
        false => Ok(None),
    }
}

/// As [`find`], for routes that name it in their path.
pub async fn get(shared: &Shared, caller: &Caller, id: &FlavorId) -> Result<Flavor, ApiError> {
    find(shared, caller, id).await?.ok_or_else(|| not_found(id))
}

fn not_found(id: &FlavorId) -> ApiError {
    ApiError::NotFound(format!("Flavor {id} could not be found."))
}

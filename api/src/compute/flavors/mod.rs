//! Flavors: the sizes that instances are made in. Everybody sees public ones; administrators see and
//! change all.

pub mod create;
pub mod delete;
pub mod extra_specs;
pub mod list;
pub mod schema;
pub mod show;
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
        .delete("/flavors/{id}", Access::Admin, delete::handle)
        .get("/flavors/{id}/os-extra_specs", Access::Reader, extra_specs::list)
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
    let flavor = shared.database.get_flavor(id).await?;
    Ok(flavor.filter(|flavor| flavor.is_public || caller.is_admin()))
}

/// As [`find`], for routes that name it in their path.
pub async fn get(shared: &Shared, caller: &Caller, id: &FlavorId) -> Result<Flavor, ApiError> {
    find(shared, caller, id).await?.ok_or_else(|| ApiError::NotFound(format!("Flavor {id} could not be found.")))
}

//! Flavors.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cuttle_model::flavor::{Flavor, FlavorId};
use cuttle_model::ids::ProjectId;

use crate::Result;

/// What is known of flavors.
#[async_trait]
pub trait Flavors {
    /// Inserts a flavor; its id and its name are unique.
    async fn insert_flavor(&self, flavor: &Flavor) -> Result<Inserted>;

    async fn get_flavor(&self, id: &FlavorId) -> Result<Option<Flavor>>;

    /// Those that match, by memory (or as asked) and id.
    async fn list_flavors(&self, query: &FlavorQuery) -> Result<Vec<Flavor>>;

    /// Sets and removes extra specs, all or nothing; answers all that there are then. `None`: there is no
    /// such flavor.
    async fn change_extra_specs(
        &self,
        id: &FlavorId,
        set: &BTreeMap<String, String>,
        remove: Option<&str>,
    ) -> Result<Option<BTreeMap<String, String>>>;

    /// False: there was none.
    async fn set_flavor_description(&self, id: &FlavorId, description: Option<&str>) -> Result<bool>;

    /// The projects that may use a private flavor.
    async fn list_flavor_access(&self, id: &FlavorId) -> Result<Vec<ProjectId>>;

    async fn has_flavor_access(&self, id: &FlavorId, project: ProjectId) -> Result<bool>;

    /// False: it had access.
    async fn add_flavor_access(&self, id: &FlavorId, project: ProjectId) -> Result<bool>;

    /// False: it had none.
    async fn remove_flavor_access(&self, id: &FlavorId, project: ProjectId) -> Result<bool>;

    /// False: there was none.
    async fn delete_flavor(&self, id: &FlavorId) -> Result<bool>;
}

/// Which flavors.
#[derive(Debug, Clone, Default)]
pub struct FlavorQuery {
    /// Only public ones, or only private ones.
    pub is_public: Option<bool>,
    /// Private ones that this project may use count as public.
    pub project: Option<ProjectId>,
    pub min_ram_mib: Option<u64>,
    pub min_disk_gib: Option<u64>,
    /// Begin after this one.
    pub marker: Option<FlavorId>,
    pub limit: Option<u32>,
}

/// What became of an insertion of something with a unique name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    Inserted,
    /// Another has that id.
    SameId,
    /// Another has that name.
    SameName,
}

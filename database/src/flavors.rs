//! Flavors.

use async_trait::async_trait;
use cuttle_model::flavor::{Flavor, FlavorId};

use crate::Result;

/// What is known of flavors.
#[async_trait]
pub trait Flavors {
    /// Inserts a flavor; its id and its name are unique.
    async fn insert_flavor(&self, flavor: &Flavor) -> Result<Inserted>;

    async fn get_flavor(&self, id: &FlavorId) -> Result<Option<Flavor>>;

    /// Those that match, by memory (or as asked) and id.
    async fn list_flavors(&self, query: &FlavorQuery) -> Result<Vec<Flavor>>;

    /// False: there was none.
    async fn delete_flavor(&self, id: &FlavorId) -> Result<bool>;
}

/// Which flavors.
#[derive(Debug, Clone, Default)]
pub struct FlavorQuery {
    /// Only public ones, or only private ones.
    pub is_public: Option<bool>,
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

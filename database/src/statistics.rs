//! Numbers about the whole cloud, for metrics.

use async_trait::async_trait;

use crate::Result;

/// How many there are of what.
#[async_trait]
pub trait Statistics {
    /// Everything that is counted. One query.
    async fn counts(&self) -> Result<Vec<Count>>;
    /// The connections of this process to the database.
    fn connections(&self) -> Vec<PoolUse>;
}

/// So many things of a kind are in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// `instance`, `image`, `operation` (those that have not ended), `command` (those without a report) or
    /// `storage` (hosts, by how well they reach it).
    pub what: String,
    /// The state's word.
    pub state: String,
    pub number: u64,
}

/// A pool of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    pub name: &'static str,
    pub open: u32,
    pub idle: u32,
}

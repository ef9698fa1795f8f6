//! Host aggregates: hosts with something in common, which administrators put into words.
//!
//! A host may be in several, but in no two with different availability zones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{AggregateId, HostId};

/// The key of an aggregate's metadata that makes it an availability zone.
pub const ZONE_KEY: &str = "availability_zone";

/// A host aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregate {
    /// What Nova's clients name it by.
    pub number: i64,
    pub id: AggregateId,
    /// Unique.
    pub name: String,
    pub metadata: BTreeMap<String, String>,
    /// By name.
    pub hosts: Vec<HostId>,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
}

impl Aggregate {
    /// The zone that its hosts are in, if it is one.
    pub fn availability_zone(&self) -> Option<&str> {
        self.metadata.get(ZONE_KEY).map(String::as_str)
    }
}

//! What is said of storage: where a host stands, and what its agent is to measure.

use cuttle_model::crush::CrushLocation;
use cuttle_model::storage_health::HealthLimits;
use serde::{Deserialize, Serialize};

/// What a host's configuration says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// `None`: where a host of its name stands in CRUSH.
    pub crush_location: Option<CrushLocation>,
    /// Whether its guests read from the nearest replica, once it is known which that is.
    pub localizes_reads: bool,
}

/// What the agent is to measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measuring {
    pub pools: Vec<MeasuredPool>,
    pub limits: HealthLimits,
}

/// A pool that the host uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredPool {
    pub pool: String,
    pub access: PoolAccess,
}

/// What the host may do there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolAccess {
    Read,
    ReadWrite,
}

/// The RADOS namespace of what agents write to measure: nothing of RBD's is there, and RBD's own lists do not show it.
pub const HEALTH_NAMESPACE: &str = "cuttle-health";

/// How many objects a host has in each pool, so that its probes meet more than one placement group.
pub const HEALTH_OBJECTS: u32 = 8;

/// The name of one of them.
pub fn health_object(host: &str, number: u32) -> String {
    format!("{host}.{number}")
}

//! An instance as the API shows it.

use jiff::Timestamp;
use serde::Deserialize;

use crate::operation::wire::Fault;

/// In lists.
#[derive(Debug, Clone, Deserialize)]
pub struct Brief {
    pub id: String,
    pub name: String,
    pub project_id: String,
    /// The project's name, if there still is one.
    pub project: Option<String>,
    pub state: String,
    pub task: Option<String>,
    pub power: String,
    pub host: Option<String>,
    pub flavor: String,
    pub created_at: Timestamp,
}

/// By itself.
#[derive(Debug, Clone, Deserialize)]
pub struct Detail {
    #[serde(flatten)]
    pub brief: Brief,
    pub user_id: String,
    pub image_id: Option<String>,
    pub vcpus: u64,
    pub ram_mib: u64,
    pub epoch: i64,
    pub running_allowed: Option<i64>,
    pub root_disk: Option<Disk>,
    pub launched_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    pub fault: Option<Fault>,
    pub clients: Vec<Client>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Disk {
    pub pool: String,
    pub name: String,
    pub image_id: String,
    pub size_bytes: u64,
}

/// A RADOS client that may write to a disk.
#[derive(Debug, Clone, Deserialize)]
pub struct Client {
    pub address: String,
    pub epoch: i64,
    pub host: Option<String>,
    pub pool: String,
    pub recorded_at: Timestamp,
}

//! The doctor: looks at everything that the control plane depends on, says how each part is, how long it
//! took to find out, and what to do about what is wrong. It changes nothing.
//!
//! ```text
//! node          a control node, also one whose `serve` does not start: files, keys, ports, disk
//! certificates  the agents' authority and the server's certificate
//! database      reachable, migrated; control nodes and their clocks
//! ceph          monitors, health, pools, OSDs, rights
//! hosts         agents, and what guests run on
//! operations    what is parked, stuck or tried again
//! ```
//! `cuttle-api doctor` asks all of it; `GET /operator/v1/doctor` all but `node`, which is about one machine.

mod ceph;
mod certificates;
mod check;
mod database;
mod hosts;
mod node;
mod operations;
pub mod report;

use std::path::PathBuf;
use std::time::Duration;

use cuttle_database::Database;
use cuttle_model::clock::Timestamp;
use cuttle_operations::Settings;
use cuttle_rbd_backend::Cluster;

pub use check::{Check, Status};
pub use node::examine as examine_node;

/// What is looked at.
pub struct Patient {
    pub database: Database,
    /// `None`: it is not connected, which is said elsewhere.
    pub ceph: Option<Cluster>,
    pub settings: Settings,
    pub tls_directory: PathBuf,
    pub now: Timestamp,
}

/// Looks at what all control nodes share, all of it at once.
pub async fn examine(patient: &Patient) -> Vec<Check> {
    let Patient { database, ceph, settings, tls_directory, now } = patient;
    let host_down_after = Duration::from_secs(settings.host_down_after_seconds);
    let (database, ceph, certificates, hosts, operations) = tokio::join!(
        database::examine(database, Duration::from_secs(settings.lease_seconds), *now),
        async {
            match ceph {
                Some(ceph) => ceph::examine(ceph, settings).await,
                None => Vec::new(),
            }
        },
        certificates::examine(tls_directory, *now),
        hosts::examine(database, host_down_after, *now),
        operations::examine(database, *now),
    );
    [database, ceph, certificates, hosts, operations].concat()
}

//! What both databases must do alike.

mod clients;
mod commands;
pub mod concurrency;
mod control_nodes;
mod ends;
mod flavors;
mod host_keys;
mod host_storage;
mod hosts;
mod identity;
mod image_lists;
mod images;
mod instance_lists;
mod instances;
mod joins;
mod keypairs;
mod leases;
mod moves;
mod operation_lists;
mod operations;
mod placement;
mod quotas;
mod reconciliation;
mod round_trips;
mod schema;
mod statements;
mod statistics;

//! The queries, file by file as the traits that they implement.
//!
//! This folder is compiled twice, once inside [`crate::sqlite`] and once inside [`crate::postgres`];
//! each lends its driver, its pools and the few words in which the two differ. What is written here
//! must mean the same to both: no type or function that one of them lacks, `BIGINT` sums (PostgreSQL's
//! `SUM` of integers is a decimal), comparisons that tell upper from lower case.
//!
//! Always true: a transaction locks the subject (instance or image) before its operation, and the
//! operation before its steps, and a quota before a server group, and that before a host, so that two of them never wait for each other.

mod aggregates;
mod application_credentials;
mod assignments;
mod begin;
mod bind;
mod claims;
mod clients;
mod commands;
mod control_nodes;
mod end;
mod flavors;
mod host_keys;
mod host_storage;
mod hosts;
mod identity;
mod image_list;
mod image_members;
mod images;
mod instance_list;
mod instances;
mod joins;
mod journal;
mod keypairs;
mod leases;
// Only SQLite says how it carries out a statement without having data.
#[cfg(test)]
#[allow(dead_code)]
pub(super) mod lists;
mod migrations;
mod operation_list;
mod operations;
mod packed;
mod page;
mod placements;
mod quotas;
mod reconciliation;
mod row;
mod schema;
mod server_groups;
mod statistics;
mod subject;
mod tags;
mod tokens;
mod user_data;

use super::{Db, Handle, IS_PACKED, Row, Tx};
use crate::attempt::{Attempt, Failure, attempt};

impl crate::Store for Handle {}

/// A statement with its values.
type Query<'q> = sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments>;

/// Runs a statement that changes at the most one row; answers whether it did.
async fn changed<'q, 'c, E: sqlx::Executor<'c, Database = Db>>(query: Query<'q>, on: E) -> Attempt<bool> {
    Ok(query.execute(on).await?.rows_affected() > 0)
}

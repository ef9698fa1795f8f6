//! The database: the only crate that knows SQL.
//!
//! One source of queries is compiled twice, for SQLite (one control node) and for PostgreSQL (several).
//! What two processes may do at once is decided here, by compare-and-swap and unique indexes:
//! - A write of an instance or image names the generation that it read.
//! - One operation works on a subject at a time; one more may wait (unique indexes).
//! - A write of an operation's worker names its lease's epoch.
//! - A claim is checked against the host's limits in the transaction that writes it.
//! - An instance gets a new epoch only while no client of an older one may still write.
//!
//! Transactions are short and none is open while something else is waited for.
//!
//! The traits here say what each call does. `sqlite.rs` and `postgres.rs` open the two databases, and
//! each compiles the queries of `sql/` for its driver. A conflict between transactions is tried again
//! in here; what callers see of it is at the most [`Error::Unavailable`].

mod aggregates;
mod application_credentials;
mod assignments;
mod attempt;
mod clients;
mod commands;
mod connect;
mod control_nodes;
mod error;
mod events;
mod flavors;
mod host_keys;
mod host_storage;
mod hosts;
mod identity;
mod images;
mod instances;
mod joins;
mod keypairs;
mod migration;
mod migrations;
mod operations;
mod placements;
mod postgres;
mod quotas;
mod reconciliation;
mod server_groups;
mod sqlite;
mod statements;
mod statistics;
mod user_data;

use std::sync::Arc;

pub use aggregates::{AggregateChange, AggregateChanged, AggregateDeleted, Aggregates};
pub use application_credentials::{ApplicationCredentials, CredentialInserted};
pub use assignments::{AssignmentQuery, Assignments};
pub use clients::{Clients, Elsewhere, NewPlace};
pub use commands::{Commands, ReportStored};
pub use connect::{Options, connect};
pub use control_nodes::ControlNodes;
pub use error::{Cause, Error};
pub use events::{Event, Events};
pub use flavors::{FlavorQuery, Flavors, Inserted};
pub use host_keys::{BEING_REMOVED, Generations, HostKeys, HostRemoval};
pub use host_storage::{HostStanding, HostStorage, HostStorages};
pub use hosts::{Candidate, Hosts};
pub use identity::{Credentials, Identity, ProjectChange, ProjectDeleted, Updated, UserChange};
pub use images::{Comparison, ImageQuery, ImageSort, Images, Shared};
pub use instances::{
    Insertion, InstanceField, InstanceQuery, InstanceSort, Instances, NewInstance, Placement, Placing, SortDirection, TagQuery,
};
pub use joins::{Certificate, JoinToken, Joining, Joins, NewJoinToken};
pub use keypairs::{KeypairInsertion, Keypairs};
pub use migration::{Schema, SchemaGap};
pub use migrations::{MigrationQuery, Migrations};
pub use operations::{
    Begin, Begun, ClaimEnd, EndOperation, JournalEntry, LeaseGuard, Mark, OperationQuery, Operations, Room, StepEnd, SubjectEnd,
    WhenBusy, Written,
};
pub use placements::{BuildOutcome, Hints, Placements};
pub use quotas::{InstanceUsage, Limits, QuotaScope, Quotas};
pub use server_groups::ServerGroups;
pub use statistics::{Count, PoolUse, Statistics};
pub use user_data::UserData;

pub use reconciliation::{OddClaim, OverdueCommand, Reconciliation};

/// What is done by a database call that cannot be done now.
pub type Result<T> = std::result::Result<T, Error>;

/// All that the control plane keeps.
pub trait Store:
    Instances
    + UserData
    + Operations
    + ControlNodes
    + Commands
    + Clients
    + Hosts
    + Flavors
    + Keypairs
    + Quotas
    + Images
    + Identity
    + Assignments
    + ApplicationCredentials
    + Statistics
    + HostKeys
    + HostStorages
    + Joins
    + Events
    + Reconciliation
    + Aggregates
    + ServerGroups
    + Placements
    + Migrations
    + Schema
    + Send
    + Sync
{
}

/// A shared handle to the database.
pub type Database = Arc<dyn Store>;

//! Host aggregates.
//!
//! Always true: no host is in two aggregates with different zones. Whatever changes what holds for a
//! host (its aggregates, their metadata) counts the host's `rules` up in the same transaction, so a
//! placement that was chosen by the old rules is told from one by the new ones.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cuttle_model::aggregate::Aggregate;
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::HostId;

use crate::Result;

/// What is known of aggregates.
#[async_trait]
pub trait Aggregates {
    /// Inserts an aggregate without hosts, whose number is made up here. `None`: its name is taken.
    async fn insert_aggregate(&self, aggregate: &Aggregate) -> Result<Option<Aggregate>>;

    /// All aggregates by number, with their hosts by name; one query.
    async fn list_aggregates(&self) -> Result<Vec<Aggregate>>;

    /// Changes one, or refuses to.
    async fn change_aggregate(&self, number: i64, change: &AggregateChange, now: Timestamp) -> Result<AggregateChanged>;

    /// Deletes one that has no hosts.
    async fn delete_aggregate(&self, number: i64) -> Result<AggregateDeleted>;
}

/// What is changed of an aggregate.
#[derive(Debug, Clone)]
pub enum AggregateChange {
    Name(String),
    /// Keys with their new values; without one, the key goes.
    Metadata(BTreeMap<String, Option<String>>),
    /// Both.
    NameAndMetadata(String, BTreeMap<String, Option<String>>),
    AddHost(HostId),
    RemoveHost(HostId),
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AggregateChanged {
    Changed(Aggregate),
    /// There is no such aggregate.
    NotFound,
    /// Another one has the name.
    SameName,
    /// The host is in it already.
    HasHost,
    /// The host is not in it, or does not exist.
    NoHost,
    /// The host is in that other zone.
    OtherZone {
        host: HostId,
        zone: String,
    },
    /// The zone of the host would change, and instances are there.
    InUse {
        host: HostId,
    },
}

/// What became of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateDeleted {
    Deleted,
    NotFound,
    HasHosts,
}

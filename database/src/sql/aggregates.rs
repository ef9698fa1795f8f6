//! Host aggregates. Changes come one after another, as each is checked against all aggregates.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cuttle_model::aggregate::{Aggregate, ZONE_KEY};
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::HostId;

use super::row::Columns;
use super::{Attempt, Handle, Row, Tx, attempt, bind, changed, quotas};
use crate::Result;
use crate::aggregates::{AggregateChange, AggregateChanged, AggregateDeleted, Aggregates};

const TABLE: &str = "aggregates";
const LIST: &str = "SELECT number, aggregates.id AS id, aggregates.name AS name, metadata, aggregates.created_at AS created_at, \
     updated_at, host_id FROM aggregates LEFT JOIN aggregate_hosts ON aggregate_number = number \
     LEFT JOIN hosts ON hosts.id = host_id ORDER BY number, hosts.name";

#[async_trait]
impl Aggregates for Handle {
    async fn insert_aggregate(&self, aggregate: &Aggregate) -> Result<Option<Aggregate>> {
        const INSERT: &str = "INSERT INTO aggregates (id, name, metadata, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (name) DO NOTHING RETURNING number, id";
        attempt("insert an aggregate", || async move {
            let query = sqlx::query(INSERT)
                .bind(aggregate.id.to_string())
                .bind(aggregate.name.clone())
                .bind(bind::json(TABLE, "metadata", &aggregate.metadata)?)
                .bind(aggregate.created_at.as_micros());
            let row = query.fetch_optional(self.writer()).await?;
            let number = row.map(|row| Columns::new(TABLE, "id", &row).integer("number")).transpose()?;
            Ok(number.map(|number| Aggregate { number, ..aggregate.clone() }))
        })
        .await
    }

    async fn list_aggregates(&self) -> Result<Vec<Aggregate>> {
        attempt("list aggregates", || async move { read_all(&sqlx::query(LIST).fetch_all(self.reader()).await?) }).await
    }

    async fn change_aggregate(&self, number: i64, change: &AggregateChange, now: Timestamp) -> Result<AggregateChanged> {
        attempt("change an aggregate", || self.change_aggregate_once(number, change, now)).await
    }

    async fn delete_aggregate(&self, number: i64) -> Result<AggregateDeleted> {
        const DELETE: &str = "DELETE FROM aggregates WHERE number = $1";
        attempt("delete an aggregate", || async move {
            let mut tx = self.begin().await?;
            let all = lock_all(&mut tx).await?;
            match all.iter().find(|aggregate| aggregate.number == number) {
                None => Ok(AggregateDeleted::NotFound),
                Some(found) if !found.hosts.is_empty() => Ok(AggregateDeleted::HasHosts),
                Some(_) => {
                    sqlx::query(DELETE).bind(number).execute(tx.connection()).await?;
                    tx.commit().await?;
                    Ok(AggregateDeleted::Deleted)
                }
            }
        })
        .await
    }
}

impl Handle {
    async fn change_aggregate_once(&self, number: i64, change: &AggregateChange, now: Timestamp) -> Attempt<AggregateChanged> {
        const UPDATE: &str = "UPDATE aggregates SET name = $2, metadata = $3, updated_at = $4 WHERE number = $1";
        let mut tx = self.begin().await?;
        let all = lock_all(&mut tx).await?;
        let Some(old) = all.iter().find(|aggregate| aggregate.number == number) else { return Ok(AggregateChanged::NotFound) };
        let mut new = Aggregate { updated_at: Some(now), ..old.clone() };
        match change {
            AggregateChange::Name(name) => new.name.clone_from(name),
            AggregateChange::Metadata(metadata) => apply(&mut new.metadata, metadata),
            AggregateChange::NameAndMetadata(name, metadata) => {
                new.name.clone_from(name);
                apply(&mut new.metadata, metadata);
            }
            AggregateChange::AddHost(host) if old.hosts.contains(host) => return Ok(AggregateChanged::HasHost),
            AggregateChange::AddHost(host) => new.hosts.push(*host),
            AggregateChange::RemoveHost(host) if !old.hosts.contains(host) => return Ok(AggregateChanged::NoHost),
            AggregateChange::RemoveHost(host) => new.hosts.retain(|known| known != host),
        }
        if all.iter().any(|other| other.number != number && other.name == new.name) {
            return Ok(AggregateChanged::SameName);
        }
        // The hosts are locked by this, so no claim is made by the old rules from here on.
        if !mark_hosts(&mut tx, old, &new).await? {
            return Ok(AggregateChanged::NoHost);
        }
        if let Some(refused) = check_zones(&mut tx, &all, old, &new).await? {
            return Ok(refused);
        }
        let update = sqlx::query(UPDATE)
            .bind(number)
            .bind(new.name.clone())
            .bind(bind::json(TABLE, "metadata", &new.metadata)?)
            .bind(now.as_micros());
        update.execute(tx.connection()).await?;
        write_hosts(&mut tx, change, number).await?;
        let changed = read_all(&sqlx::query(LIST).fetch_all(tx.connection()).await?)?;
        tx.commit().await?;
        let found = changed.into_iter().find(|aggregate| aggregate.number == number);
        Ok(found.map_or(AggregateChanged::NotFound, AggregateChanged::Changed))
    }
}

/// All of them; nobody else changes one until the transaction ends.
async fn lock_all(tx: &mut Tx) -> Attempt<Vec<Aggregate>> {
    quotas::lock(tx, "aggregates".to_owned()).await?;
    read_all(&sqlx::query(LIST).fetch_all(tx.connection()).await?)
}

fn apply(metadata: &mut BTreeMap<String, String>, change: &BTreeMap<String, Option<String>>) {
    for (key, value) in change {
        match value {
            Some(value) => metadata.insert(key.clone(), value.clone()),
            None => metadata.remove(key),
        };
    }
}

/// Counts up the rules of each host that it has, had or will have. False: one of these does not exist.
async fn mark_hosts(tx: &mut Tx, old: &Aggregate, new: &Aggregate) -> Attempt<bool> {
    const MARK: &str = "UPDATE hosts SET rules = rules + 1 WHERE id = $1";
    let mut hosts: Vec<HostId> = old.hosts.iter().chain(&new.hosts).copied().collect();
    // In one order, as everywhere.
    hosts.sort();
    hosts.dedup();
    for host in hosts {
        if !changed(sqlx::query(MARK).bind(host.to_string()), tx.connection()).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// No host is in two zones, and none with instances changes its zone.
async fn check_zones(tx: &mut Tx, all: &[Aggregate], old: &Aggregate, new: &Aggregate) -> Attempt<Option<AggregateChanged>> {
    const CLAIMED: &str = "SELECT host_id FROM claims WHERE host_id = $1 LIMIT 1";
    let other_zone = |host: &HostId| {
        let others = all.iter().filter(|aggregate| aggregate.number != new.number && aggregate.hosts.contains(host));
        others.filter_map(|aggregate| aggregate.metadata.get(ZONE_KEY)).next()
    };
    if let Some(zone) = new.availability_zone() {
        let elsewhere =
            new.hosts.iter().find_map(|host| other_zone(host).filter(|other| *other != zone).map(|other| (host, other)));
        if let Some((host, zone)) = elsewhere {
            return Ok(Some(AggregateChanged::OtherZone { host: *host, zone: zone.clone() }));
        }
    }
    for host in old.hosts.iter().chain(new.hosts.iter().filter(|host| !old.hosts.contains(host))) {
        let zone = |aggregate: &Aggregate| match aggregate.hosts.contains(host) {
            true => aggregate.metadata.get(ZONE_KEY).or(other_zone(host)).cloned(),
            false => other_zone(host).cloned(),
        };
        let moves = zone(old) != zone(new);
        if moves && sqlx::query(CLAIMED).bind(host.to_string()).fetch_optional(tx.connection()).await?.is_some() {
            return Ok(Some(AggregateChanged::InUse { host: *host }));
        }
    }
    Ok(None)
}

async fn write_hosts(tx: &mut Tx, change: &AggregateChange, number: i64) -> Attempt<()> {
    const ADD: &str = "INSERT INTO aggregate_hosts (aggregate_number, host_id) VALUES ($1, $2)";
    const REMOVE: &str = "DELETE FROM aggregate_hosts WHERE aggregate_number = $1 AND host_id = $2";
    let (statement, host) = match change {
        AggregateChange::AddHost(host) => (ADD, host),
        AggregateChange::RemoveHost(host) => (REMOVE, host),
        AggregateChange::Name(_) | AggregateChange::Metadata(_) | AggregateChange::NameAndMetadata(..) => return Ok(()),
    };
    sqlx::query(statement).bind(number).bind(host.to_string()).execute(tx.connection()).await?;
    Ok(())
}

/// Each aggregate has a row for each of its hosts, or one without.
fn read_all(rows: &[Row]) -> Attempt<Vec<Aggregate>> {
    let mut all: Vec<Aggregate> = Vec::new();
    for row in rows {
        let columns = Columns::new(TABLE, "id", row);
        let number = columns.integer("number")?;
        if all.last().is_none_or(|last| last.number != number) {
            all.push(Aggregate {
                number,
                id: columns.parsed("id")?,
                name: columns.string("name")?,
                metadata: columns.json("metadata")?,
                hosts: Vec::new(),
                created_at: columns.time("created_at")?,
                updated_at: columns.maybe("updated_at", Columns::time)?,
            });
        }
        if let (Some(last), Some(host)) = (all.last_mut(), columns.maybe("host_id", Columns::parsed)?) {
            last.hosts.push(host);
        }
    }
    Ok(all)
}

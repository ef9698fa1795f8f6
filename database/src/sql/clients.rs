//! Epochs, and the RADOS clients that may write in them.
//!
//! Always true: the instance's row is locked before its clients are looked at or added, so an epoch
//! never begins between the permission to run in the one before and the record of its clients.

use async_trait::async_trait;
use cuttle_model::capacity::Claim;
use cuttle_model::client::{ClientProof, DiskClient};
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::{Epoch, HostId, InstanceId};
use sqlx::QueryBuilder;

use super::row::Columns;
use super::{Attempt, Handle, Row, Tx, attempt, changed, claims, leases, placements, server_groups};
use crate::Result;
use crate::clients::{Clients, Elsewhere, NewPlace};
use crate::operations::{ClaimEnd, LeaseGuard, Written};
use crate::placements::Hints;

const TABLE: &str = "disk_clients";

macro_rules! client_columns {
    () => {
        "instance_id, epoch, host_id, pool, image_id, address, recorded_at"
    };
}
pub(super) use client_columns;

#[async_trait]
impl Clients for Handle {
    async fn begin_epoch(&self, instance: InstanceId, expected: Epoch, host: HostId) -> Result<Option<Epoch>> {
        attempt("begin an epoch", || async move {
            let mut tx = self.begin().await?;
            if !next_epoch(&mut tx, instance, expected, host).await? {
                return Ok(None);
            }
            tx.commit().await?;
            Ok(Some(expected.next()))
        })
        .await
    }

    async fn begin_epoch_elsewhere(&self, place: &NewPlace, guard: &LeaseGuard) -> Result<Elsewhere> {
        attempt("begin an epoch elsewhere", || async move {
            let NewPlace { expected, placement, record } = place;
            let Claim { instance_id: instance, host_id: host, .. } = placement.claim;
            let mut tx = self.begin().await?;
            if !next_epoch(&mut tx, instance, *expected, host).await? {
                return Ok(Elsewhere::Stale);
            }
            // Before the host, as everywhere: so two of these never wait for each other.
            if let Some(group) = server_groups::lock_that_of(&mut tx, instance).await?
                && !server_groups::allows(&mut tx, group, instance, host).await?
            {
                return Ok(Elsewhere::HostFull);
            }
            claims::release(&mut tx, instance, ClaimEnd::Released).await?;
            if !claims::lock_host(&mut tx, placement).await? || !claims::claim(&mut tx, placement, claims::HOME).await? {
                return Ok(Elsewhere::HostFull);
            }
            placements::insert(&mut tx, instance, &Hints::new(), Some(record)).await?;
            Ok(match leases::finish_guarded(tx, guard, true).await? {
                Written::Done => Elsewhere::Begun(expected.next()),
                Written::Stale | Written::LeaseLost => Elsewhere::LeaseLost,
            })
        })
        .await
    }

    async fn allow_running(&self, instance: InstanceId, epoch: Epoch, clients: &[DiskClient]) -> Result<bool> {
        // Allowed already: the row is as its readers know it.
        const ALLOW: &str = "UPDATE instances SET running_allowed = $2, \
             generation = generation + CASE WHEN running_allowed = $2 THEN 0 ELSE 1 END \
             WHERE id = $1 AND epoch = $2 AND ($3 IS NULL OR host_id = $3)";
        let host = clients.first().map(|client| client.host_id);
        let of_this_guest =
            |client: &DiskClient| client.instance_id == instance && client.epoch == epoch && Some(client.host_id) == host;
        if !clients.iter().all(of_this_guest) {
            return Ok(false);
        }
        attempt("allow a guest to run", || async move {
            let mut tx = self.begin().await?;
            let allow = sqlx::query(ALLOW).bind(instance.to_string()).bind(epoch.0).bind(host.map(|id| id.to_string()));
            if !changed(allow, tx.connection()).await? {
                return Ok(false);
            }
            if !clients.is_empty() {
                record(clients).build().execute(tx.connection()).await?;
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn open_clients(&self, instance: InstanceId) -> Result<Vec<DiskClient>> {
        const OPEN: &str = concat!(
            "SELECT ",
            client_columns!(),
            " FROM disk_clients WHERE instance_id = $1 AND closed_at IS NULL ORDER BY epoch, pool, image_id, address"
        );
        attempt("list an instance's clients", || async move {
            let rows = sqlx::query(OPEN).bind(instance.to_string()).fetch_all(self.reader()).await?;
            rows.iter().map(read).collect()
        })
        .await
    }

    async fn deleted_with_open_clients(&self, limit: u32) -> Result<Vec<(InstanceId, Epoch)>> {
        const OPEN: &str = "SELECT id, epoch FROM instances WHERE state = 'deleted' \
             AND id IN (SELECT instance_id FROM disk_clients WHERE closed_at IS NULL) \
             AND NOT EXISTS (SELECT 1 FROM commands WHERE instance_id = instances.id AND report IS NULL AND withdrawn = 0) \
             ORDER BY id LIMIT $1";
        attempt("list deleted instances with clients", || async move {
            let rows = sqlx::query(OPEN).bind(i64::from(limit)).fetch_all(self.reader()).await?;
            let read = |row: &Row| {
                let columns = Columns::new("instances", "id", row);
                Ok((columns.parsed("id")?, Epoch(columns.integer("epoch")?)))
            };
            rows.iter().map(read).collect()
        })
        .await
    }

    async fn close_clients(&self, instance: InstanceId, through: Epoch, proof: ClientProof, now: Timestamp) -> Result<()> {
        const CLOSE: &str = "UPDATE disk_clients SET closed_at = $4, proof = $3 \
             WHERE instance_id = $1 AND epoch <= $2 AND closed_at IS NULL";
        attempt("close an instance's clients", || async move {
            let query = sqlx::query(CLOSE).bind(instance.to_string()).bind(through.0).bind(proof.as_str());
            query.bind(now.as_micros()).execute(self.writer()).await?;
            Ok(())
        })
        .await
    }
}

/// Writes the next epoch and its host, if the instance still has `expected` and no client of an older one is open.
async fn next_epoch(tx: &mut Tx, instance: InstanceId, expected: Epoch, host: HostId) -> Attempt<bool> {
    const NEXT: &str = "UPDATE instances SET epoch = epoch + 1, host_id = $3, running_allowed = NULL, \
         generation = generation + 1 WHERE id = $1 AND epoch = $2";
    // A statement after the lock, not a condition of it: what others commit while the lock is
    // waited for must be seen.
    const OPEN: &str = "SELECT epoch FROM disk_clients WHERE instance_id = $1 AND closed_at IS NULL LIMIT 1";
    let next = sqlx::query(NEXT).bind(instance.to_string()).bind(expected.0).bind(host.to_string());
    if !changed(next, tx.connection()).await? {
        return Ok(false);
    }
    Ok(sqlx::query(OPEN).bind(instance.to_string()).fetch_optional(tx.connection()).await?.is_none())
}

/// A client that was recorded before stays as it is: what was proven of its address stays true.
fn record(clients: &[DiskClient]) -> QueryBuilder<super::Db> {
    let mut sql =
        QueryBuilder::new("INSERT INTO disk_clients (instance_id, epoch, host_id, pool, image_id, address, recorded_at) ");
    sql.push_values(clients, |mut row, client| {
        row.push_bind(client.instance_id.to_string())
            .push_bind(client.epoch.0)
            .push_bind(client.host_id.to_string())
            .push_bind(client.pool.clone())
            .push_bind(client.image_id.clone())
            .push_bind(client.address.clone())
            .push_bind(client.recorded_at.as_micros());
    });
    sql.push(" ON CONFLICT (instance_id, epoch, pool, image_id, address) DO NOTHING");
    sql
}

pub(super) fn read(row: &Row) -> Attempt<DiskClient> {
    let columns = Columns::new(TABLE, "instance_id", row);
    Ok(DiskClient {
        instance_id: columns.parsed("instance_id")?,
        epoch: Epoch(columns.integer("epoch")?),
        host_id: columns.parsed("host_id")?,
        pool: columns.string("pool")?,
        image_id: columns.string("image_id")?,
        address: columns.string("address")?,
        recorded_at: columns.time("recorded_at")?,
    })
}

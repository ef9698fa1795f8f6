//! The end of a host, and the generations of its cephx identity.

use async_trait::async_trait;
use cuttle_model::ids::{HostId, InstanceId};

use super::row::Columns;
use super::{Attempt, Handle, Row, Tx, attempt, changed};
use crate::Result;
use crate::events::Event;
use crate::host_keys::{BEING_REMOVED, Generations, HostKeys, HostRemoval};

/// How many of the instances that are in the way are named.
const NAMED: i64 = 10;

/// The instances that are on a host. A client that is on record may still write, whatever became of its
/// instance.
macro_rules! on_it {
    () => {
        "FROM instances WHERE (host_id = $1 AND state <> 'deleted') \
         OR id IN (SELECT instance_id FROM claims WHERE host_id = $1) \
         OR id IN (SELECT instance_id FROM disk_clients WHERE host_id = $1 AND closed_at IS NULL)"
    };
}

#[async_trait]
impl HostKeys for Handle {
    async fn begin_host_removal(&self, host: HostId) -> Result<HostRemoval> {
        const CERTIFICATES: &str = "DELETE FROM host_certificates WHERE host_id = $1";
        const TOKENS: &str = "DELETE FROM host_join_tokens WHERE host_id = $1";
        attempt("begin to remove a host", || async move {
            let mut tx = self.begin().await?;
            let looked = close(&mut tx, host).await?;
            if looked == HostRemoval::Done {
                for statement in [CERTIFICATES, TOKENS] {
                    sqlx::query(statement).bind(host.to_string()).execute(tx.connection()).await?;
                }
                tx.announce(Event::Host(host));
                tx.commit().await?;
            }
            Ok(looked)
        })
        .await
    }

    async fn delete_host(&self, host: HostId) -> Result<HostRemoval> {
        // What stays of deleted instances stays; where they ran is not known any more.
        const FORGET: &str = "UPDATE instances SET host_id = NULL WHERE host_id = $1 AND state = 'deleted'";
        const CLIENTS: &str = "DELETE FROM disk_clients WHERE host_id = $1 AND closed_at IS NOT NULL";
        const COMMANDS: &str = "DELETE FROM commands WHERE host_id = $1";
        // One more than is on record: a rotation that was cut off may have made the next identity.
        const KEEP: &str = "INSERT INTO removed_hosts (name, ceph_generation) \
             SELECT name, ceph_generation + 1 FROM hosts WHERE id = $1 \
             ON CONFLICT (name) DO UPDATE SET ceph_generation = excluded.ceph_generation";
        const DELETE: &str = "DELETE FROM hosts WHERE id = $1";
        attempt("remove a host", || async move {
            let mut tx = self.begin().await?;
            let looked = close(&mut tx, host).await?;
            if looked == HostRemoval::Done {
                for statement in [FORGET, CLIENTS, COMMANDS, KEEP, DELETE] {
                    sqlx::query(statement).bind(host.to_string()).execute(tx.connection()).await?;
                }
                tx.announce(Event::Host(host));
                tx.commit().await?;
            }
            Ok(looked)
        })
        .await
    }

    async fn ceph_generations(&self, host: HostId) -> Result<Option<Generations>> {
        const GET: &str = "SELECT id, oldest_ceph_generation, ceph_generation, shared_ceph_client FROM hosts WHERE id = $1";
        attempt("get a host's generations", || async move {
            let row = sqlx::query(GET).bind(host.to_string()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read_generations).transpose()
        })
        .await
    }

    async fn begin_ceph_generation(&self, host: HostId, next: i64) -> Result<bool> {
        const NEXT: &str = "UPDATE hosts SET ceph_generation = $2 WHERE id = $1 AND ceph_generation = $2 - 1";
        attempt("begin a host's next generation", || async move {
            let mut tx = self.begin().await?;
            if !changed(sqlx::query(NEXT).bind(host.to_string()).bind(next), tx.connection()).await? {
                return Ok(false);
            }
            tx.announce(Event::Host(host));
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn end_ceph_generations(&self, host: HostId, oldest: i64) -> Result<()> {
        const END: &str = "UPDATE hosts SET oldest_ceph_generation = $2 \
             WHERE id = $1 AND oldest_ceph_generation < $2 AND ceph_generation >= $2";
        attempt("end a host's old generations", || async move {
            sqlx::query(END).bind(host.to_string()).bind(oldest).execute(self.writer()).await?;
            Ok(())
        })
        .await
    }

    async fn hosts_with_old_keys(&self) -> Result<Vec<HostId>> {
        const LIST: &str = "SELECT id FROM hosts WHERE oldest_ceph_generation < ceph_generation ORDER BY id";
        attempt("list hosts with old keys", || async move {
            let rows = sqlx::query(LIST).fetch_all(self.reader()).await?;
            rows.iter().map(|row| Columns::new("hosts", "id", row).parsed("id")).collect()
        })
        .await
    }

    async fn host_is_busy(&self, host: HostId) -> Result<bool> {
        const BUSY: &str = "SELECT instances.id FROM instances JOIN operations ON operations.subject_id = instances.id \
             WHERE instances.host_id = $1 AND operations.status IN ('running', 'undoing') LIMIT 1";
        attempt("look whether a host is busy", || async move {
            Ok(sqlx::query(BUSY).bind(host.to_string()).fetch_optional(self.reader()).await?.is_some())
        })
        .await
    }

    async fn set_shared_ceph_client(&self, host: HostId, client: Option<&str>) -> Result<()> {
        const SET: &str = "UPDATE hosts SET shared_ceph_client = $2 WHERE id = $1";
        attempt("note a host's shared identity", || async move {
            sqlx::query(SET).bind(host.to_string()).bind(client.map(str::to_owned)).execute(self.writer()).await?;
            Ok(())
        })
        .await
    }
}

/// Closes the host to claims until the transaction ends, and for good if it is committed.
/// [`HostRemoval::Done`]: nothing is on it.
async fn close(tx: &mut Tx, host: HostId) -> Attempt<HostRemoval> {
    const CLOSE: &str = "UPDATE hosts SET placements = placements + 1, disabled = 1, disabled_reason = $2 WHERE id = $1";
    const COUNT: &str = concat!("SELECT COUNT(*) AS count ", on_it!());
    const NAMES: &str = concat!("SELECT id, name ", on_it!(), " ORDER BY created_at, id LIMIT $2");
    if !changed(sqlx::query(CLOSE).bind(host.to_string()).bind(BEING_REMOVED), tx.connection()).await? {
        return Ok(HostRemoval::NoSuchHost);
    }
    let row = sqlx::query(COUNT).bind(host.to_string()).fetch_one(tx.connection()).await?;
    let count: u64 = Columns::new("instances", "count", &row).number("count")?;
    if count == 0 {
        return Ok(HostRemoval::Done);
    }
    let rows = sqlx::query(NAMES).bind(host.to_string()).bind(NAMED).fetch_all(tx.connection()).await?;
    let instances = rows.iter().map(read_named).collect::<Attempt<Vec<_>>>()?;
    Ok(HostRemoval::InUse { instances, count })
}

fn read_named(row: &Row) -> Attempt<(InstanceId, String)> {
    let columns = Columns::new("instances", "id", row);
    Ok((columns.parsed("id")?, columns.string("name")?))
}

fn read_generations(row: &Row) -> Attempt<Generations> {
    let columns = Columns::new("hosts", "id", row);
    Ok(Generations {
        oldest: columns.integer("oldest_ceph_generation")?,
        newest: columns.integer("ceph_generation")?,
        shared: columns.maybe("shared_ceph_client", Columns::string)?,
    })
}

//! Where hosts stand, and how well they reach storage.

use async_trait::async_trait;
use cuttle_model::clock::Timestamp;
use cuttle_model::crush::CrushLocation;
use cuttle_model::ids::HostId;
use cuttle_model::storage_health::StorageHealth;
use sqlx::QueryBuilder;

use super::row::Columns;
use super::{Attempt, Handle, Row, attempt, bind};
use crate::Result;
use crate::host_storage::{HostStanding, HostStorage, HostStorages};

const TABLE: &str = "host_storage";

/// What `read_standing` needs.
macro_rules! standing_columns {
    () => {
        "host_id, hosts.name AS name, crush_location, localizes_reads"
    };
}

#[async_trait]
impl HostStorages for Handle {
    async fn record_standing(&self, host: HostId, said: Option<&CrushLocation>, localizes_reads: bool) -> Result<()> {
        const RECORD: &str = "INSERT INTO host_storage (host_id, crush_location, localizes_reads) \
             SELECT id, $2, $3 FROM hosts WHERE id = $1 \
             ON CONFLICT (host_id) DO UPDATE SET crush_location = excluded.crush_location, \
             localizes_reads = excluded.localizes_reads";
        attempt("record where a host stands", || async move {
            let query =
                sqlx::query(RECORD).bind(host.to_string()).bind(said.map(ToString::to_string)).bind(i64::from(localizes_reads));
            query.execute(self.writer()).await?;
            Ok(())
        })
        .await
    }

    async fn record_storage_health(&self, reports: &[(HostId, StorageHealth, Timestamp)]) -> Result<()> {
        if reports.is_empty() {
            return Ok(());
        }
        attempt("record how well hosts reach storage", || async move {
            let mut rows = Vec::with_capacity(reports.len());
            for (host, health, at) in reports {
                rows.push((host.to_string(), bind::json(TABLE, "health", health)?, i64::from(health.quality), at.as_micros()));
            }
            let mut sql = QueryBuilder::new("WITH reports (host_id, health, quality, reported_at) AS (");
            sql.push_values(rows, |mut row, (host, health, quality, at)| {
                row.push_bind(host).push_bind(health).push_bind(quality).push_bind(at);
            });
            sql.push(
                ") UPDATE host_storage SET health = reports.health, quality = reports.quality, \
                 reported_at = reports.reported_at FROM reports WHERE host_storage.host_id = reports.host_id \
                 AND (host_storage.reported_at IS NULL OR host_storage.reported_at < reports.reported_at)",
            );
            sql.build().execute(self.writer()).await?;
            Ok(())
        })
        .await
    }

    async fn list_standings(&self) -> Result<Vec<HostStanding>> {
        const LIST: &str = concat!(
            "SELECT ",
            standing_columns!(),
            " FROM host_storage JOIN hosts ON hosts.id = host_storage.host_id ORDER BY hosts.name"
        );
        attempt("list where hosts stand", || async move {
            let rows = sqlx::query(LIST).fetch_all(self.reader()).await?;
            rows.iter().map(|row| read_standing(&Columns::new(TABLE, "host_id", row))).collect()
        })
        .await
    }

    async fn get_host_storage(&self, host: HostId) -> Result<Option<HostStorage>> {
        const GET: &str = concat!(
            "SELECT ",
            standing_columns!(),
            ", health, reported_at FROM host_storage JOIN hosts ON hosts.id = host_storage.host_id WHERE host_id = $1"
        );
        attempt("get how well a host reaches storage", || async move {
            let row = sqlx::query(GET).bind(host.to_string()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read).transpose()
        })
        .await
    }
}

fn read(row: &Row) -> Attempt<HostStorage> {
    let columns = Columns::new(TABLE, "host_id", row);
    Ok(HostStorage {
        standing: read_standing(&columns)?,
        health: columns.maybe("health", Columns::json)?,
        reported_at: columns.maybe("reported_at", Columns::time)?,
    })
}

fn read_standing(columns: &Columns<'_>) -> Attempt<HostStanding> {
    Ok(HostStanding {
        host_id: columns.parsed("host_id")?,
        name: columns.parsed("name")?,
        said: columns.maybe("crush_location", Columns::parsed)?,
        localizes_reads: columns.flag("localizes_reads")?,
    })
}

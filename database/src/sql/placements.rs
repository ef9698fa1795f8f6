//! Hints, records of choices, and what hosts did with what they got.

use std::collections::HashMap;

use async_trait::async_trait;
use cuttle_model::ids::{HostId, InstanceId};
use cuttle_model::placement::PlacementRecord;
use sqlx::QueryBuilder;

use super::row::Columns;
use super::{Attempt, Handle, Row, Tx, attempt, bind, page};
use crate::Result;
use crate::placements::{BuildOutcome, Hints, Placements};

const INSERT: &str = "INSERT INTO placement_records (instance_id, record) VALUES ($1, $2)";

#[async_trait]
impl Placements for Handle {
    async fn record_placement(&self, record: &PlacementRecord) -> Result<()> {
        attempt("record a placement", || async move {
            let json = bind::json("placement_records", "record", record)?;
            sqlx::query(INSERT).bind(record.instance_id.to_string()).bind(json).execute(self.writer()).await?;
            Ok(())
        })
        .await
    }

    async fn list_placements(&self, instance: InstanceId) -> Result<Vec<PlacementRecord>> {
        const LIST: &str = "SELECT instance_id, record FROM placement_records WHERE instance_id = $1 ORDER BY number";
        attempt("list an instance's placements", || async move {
            let rows = sqlx::query(LIST).bind(instance.to_string()).fetch_all(self.reader()).await?;
            rows.iter().map(|row| Columns::new("placement_records", "instance_id", row).json("record")).collect()
        })
        .await
    }

    async fn hints_of(&self, instances: &[InstanceId]) -> Result<HashMap<InstanceId, Hints>> {
        attempt("list instances' hints", || async move {
            let mut sql = QueryBuilder::<super::Db>::new("SELECT instance_id, hints FROM scheduler_hints WHERE 1 = 1");
            page::push_among(&mut sql, "instance_id", instances.iter().map(|id| id.to_string()));
            let rows = sql.build().fetch_all(self.reader()).await?;
            let read = |row: &Row| {
                let columns = Columns::new("scheduler_hints", "instance_id", row);
                Ok((columns.parsed("instance_id")?, columns.json("hints")?))
            };
            rows.iter().map(read).collect()
        })
        .await
    }

    async fn hosts_of(&self, instances: &[InstanceId]) -> Result<Vec<HostId>> {
        attempt("list instances' hosts", || async move {
            let mut sql = QueryBuilder::<super::Db>::new("SELECT DISTINCT host_id FROM claims WHERE 1 = 1");
            page::push_among(&mut sql, "instance_id", instances.iter().map(|id| id.to_string()));
            let rows = sql.push(" ORDER BY host_id").build().fetch_all(self.reader()).await?;
            rows.iter().map(|row| Columns::new("claims", "host_id", row).parsed("host_id")).collect()
        })
        .await
    }

    async fn record_build(&self, host: HostId, outcome: BuildOutcome) -> Result<()> {
        const FAILED: &str = "UPDATE hosts SET failed_builds = failed_builds + 1 WHERE id = $1";
        const MADE: &str = "UPDATE hosts SET failed_builds = 0 WHERE id = $1 AND failed_builds > 0";
        attempt("record what became of a guest", || async move {
            let statement = match outcome {
                BuildOutcome::Failed => FAILED,
                BuildOutcome::Made => MADE,
            };
            sqlx::query(statement).bind(host.to_string()).execute(self.writer()).await?;
            Ok(())
        })
        .await
    }
}

/// Writes hints and record in the transaction in which the instance is born.
pub(super) async fn insert(tx: &mut Tx, instance: InstanceId, hints: &Hints, record: Option<&PlacementRecord>) -> Attempt<()> {
    const HINTS: &str = "INSERT INTO scheduler_hints (instance_id, hints) VALUES ($1, $2)";
    if !hints.is_empty() {
        let json = bind::json("scheduler_hints", "hints", hints)?;
        sqlx::query(HINTS).bind(instance.to_string()).bind(json).execute(tx.connection()).await?;
    }
    if let Some(record) = record {
        let json = bind::json("placement_records", "record", record)?;
        sqlx::query(INSERT).bind(instance.to_string()).bind(json).execute(tx.connection()).await?;
    }
    Ok(())
}

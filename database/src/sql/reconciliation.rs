//! What a reconciler asks.

use async_trait::async_trait;
use cuttle_model::client::DiskClient;
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::{ImageId, InstanceId};
use cuttle_model::image::Image;
use cuttle_model::instance::{Instance, StateName, Task};
use cuttle_model::operation::Subject;
use sqlx::QueryBuilder;

use super::images::image_columns;
use super::instances::instance_columns;
use super::row::Columns;
use super::{Attempt, Handle, Row, attempt, clients, images, instances, page, subject};
use crate::Result;
use crate::reconciliation::{OddClaim, OverdueCommand, Reconciliation};

#[async_trait]
impl Reconciliation for Handle {
    async fn instances_by_id(&self, ids: &[InstanceId]) -> Result<Vec<Instance>> {
        attempt("find instances by their ids", || async move {
            let mut sql = QueryBuilder::new(concat!("SELECT ", packed!(instance_columns!()), " FROM instances WHERE 1 = 1"));
            page::push_among(&mut sql, "id", ids.iter().map(ToString::to_string));
            sql.build().fetch_all(self.reader()).await?.iter().map(instances::read).collect()
        })
        .await
    }

    async fn images_by_id(&self, ids: &[ImageId]) -> Result<Vec<Image>> {
        attempt("find images by their ids", || async move {
            let mut sql = QueryBuilder::new(concat!("SELECT ", image_columns!(), " FROM images WHERE 1 = 1"));
            page::push_among(&mut sql, "id", ids.iter().map(ToString::to_string));
            sql.build().fetch_all(self.reader()).await?.iter().map(images::read).collect()
        })
        .await
    }

    async fn at_work_on(&self, subjects: &[Subject]) -> Result<Vec<Subject>> {
        attempt("find what is worked on", || async move {
            let mut sql = QueryBuilder::new("SELECT subject_kind, subject_id FROM operations WHERE finished_at IS NULL");
            page::push_among(&mut sql, "status", ["waiting", "running", "undoing"].map(str::to_owned));
            page::push_among(&mut sql, "subject_id", subjects.iter().map(|subject| subject::columns_of(*subject).1));
            let rows = sql.build().fetch_all(self.reader()).await?;
            rows.iter().map(|row| subject::read(&Columns::new("operations", "subject_id", row))).collect()
        })
        .await
    }

    async fn open_clients_of(&self, instances: &[InstanceId]) -> Result<Vec<DiskClient>> {
        attempt("list clients of instances", || async move {
            let mut sql =
                QueryBuilder::new(concat!("SELECT ", clients::client_columns!(), " FROM disk_clients WHERE closed_at IS NULL"));
            page::push_among(&mut sql, "instance_id", instances.iter().map(ToString::to_string));
            sql.build().fetch_all(self.reader()).await?.iter().map(clients::read).collect()
        })
        .await
    }

    async fn odd_claims(&self, limit: u32) -> Result<Vec<OddClaim>> {
        // The flags of two sides: a claim that its instance is not for, and an instance on a host without one.
        const ODD: &str = "SELECT instances.id AS id, state, instances.host_id AS host_id, claims.host_id AS claimed_on \
             FROM instances LEFT JOIN claims ON claims.instance_id = instances.id \
             WHERE task IS NULL AND ((claims.role = 'home' \
             AND (state = 'deleted' OR instances.host_id IS NULL OR instances.host_id <> claims.host_id)) \
             OR (claims.role = 'other' AND state <> 'resized') \
             OR (claims.host_id IS NULL AND instances.host_id IS NOT NULL AND state <> 'deleted')) \
             ORDER BY instances.id LIMIT $1";
        attempt("compare claims with instances", || async move {
            let rows = sqlx::query(ODD).bind(i64::from(limit)).fetch_all(self.reader()).await?;
            rows.iter().map(read_odd_claim).collect()
        })
        .await
    }

    async fn overdue_commands(&self, before: Timestamp, limit: u32) -> Result<Vec<OverdueCommand>> {
        const OVERDUE: &str = "SELECT id, host_id, instance_id, action, not_after FROM commands \
             WHERE report IS NULL AND withdrawn = 0 AND not_after < $1 ORDER BY sequence LIMIT $2";
        attempt("list overdue commands", || async move {
            let query = sqlx::query(OVERDUE).bind(before.as_micros()).bind(i64::from(limit));
            query.fetch_all(self.reader()).await?.iter().map(read_overdue).collect()
        })
        .await
    }

    async fn idle_tasks(&self, limit: u32) -> Result<Vec<(InstanceId, Task)>> {
        const IDLE: &str = "SELECT id, task FROM instances WHERE task IS NOT NULL AND state <> 'deleted' \
             AND NOT EXISTS (SELECT 1 FROM operations WHERE subject_id = instances.id \
             AND status IN ('waiting', 'running', 'undoing')) ORDER BY id LIMIT $1";
        attempt("look for tasks that nobody does", || async move {
            let rows = sqlx::query(IDLE).bind(i64::from(limit)).fetch_all(self.reader()).await?;
            let read = |row: &Row| {
                let columns = Columns::new("instances", "id", row);
                Ok((columns.parsed("id")?, columns.word("task", Task::from_word)?))
            };
            rows.iter().map(read).collect()
        })
        .await
    }
}

fn read_odd_claim(row: &Row) -> Attempt<OddClaim> {
    let columns = Columns::new("instances", "id", row);
    let state = |word: &str| StateName::ALL.into_iter().find(|name| name.as_str() == word);
    Ok(OddClaim {
        instance_id: columns.parsed("id")?,
        state: columns.word("state", state)?,
        host_id: columns.maybe("host_id", Columns::parsed)?,
        claimed_on: columns.maybe("claimed_on", Columns::parsed)?,
    })
}

fn read_overdue(row: &Row) -> Attempt<OverdueCommand> {
    let columns = Columns::new("commands", "id", row);
    Ok(OverdueCommand {
        id: columns.parsed("id")?,
        host_id: columns.parsed("host_id")?,
        instance_id: columns.parsed("instance_id")?,
        action: columns.string("action")?,
        not_after: columns.time("not_after")?,
    })
}

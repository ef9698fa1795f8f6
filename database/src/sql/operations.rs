//! Operations: rows, lists, and the trait; what is more than one statement has a file of its own.

use async_trait::async_trait;
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::{ControlNodeId, OperationId, RequestId};
use cuttle_model::operation::{Lease, Operation, OperationKind, OperationStatus, Progress, StepRecord, Subject};
use sqlx::QueryBuilder;

use super::row::Columns;
use super::{Attempt, Handle, Row, Tx, attempt, bind, journal, operation_list, page, subject};
use crate::Result;
use crate::operations::{Begin, Begun, EndOperation, JournalEntry, LeaseGuard, OperationQuery, Operations, Written};

const TABLE: &str = "operations";

/// All columns, in the order in which they are bound.
macro_rules! operation_columns {
    () => {
        "id, kind, subject_kind, subject_id, project_id, user_id, request_id, status, next_step, state, fault, \
         cancel_requested, lease_owner, lease_epoch, lease_until, started_at, finished_at"
    };
}
pub(super) use operation_columns;

#[async_trait]
impl Operations for Handle {
    async fn begin_operation(&self, begin: &Begin) -> Result<Begun> {
        attempt("begin an operation", || self.begin_once(begin)).await
    }

    async fn get_operation(&self, id: OperationId) -> Result<Option<Operation>> {
        const GET: &str = concat!("SELECT ", operation_columns!(), " FROM operations WHERE id = $1");
        attempt("get an operation", || async move {
            let row = sqlx::query(GET).bind(id.to_string()).fetch_optional(self.reader()).await?;
            row.as_ref().map(read).transpose()
        })
        .await
    }

    async fn list_operations(&self, subject: Subject) -> Result<Vec<Operation>> {
        const LIST: &str = concat!(
            "SELECT ",
            operation_columns!(),
            " FROM operations WHERE subject_id = $1 AND subject_kind = $2 ORDER BY started_at DESC, id DESC"
        );
        let (kind, id) = subject::columns_of(subject);
        let id = &id;
        attempt("list operations", || async move {
            let rows = sqlx::query(LIST).bind(id.clone()).bind(kind).fetch_all(self.reader()).await?;
            rows.iter().map(read).collect()
        })
        .await
    }

    async fn find_operations(&self, query: &OperationQuery) -> Result<Vec<Operation>> {
        attempt("list operations", || async move {
            let rows = operation_list::select(query).build().fetch_all(self.reader()).await?;
            rows.iter().map(read).collect()
        })
        .await
    }

    async fn list_steps(&self, operations: &[OperationId]) -> Result<Vec<(OperationId, StepRecord)>> {
        attempt("list an operation's steps", || async move {
            let mut sql = QueryBuilder::new(
                "SELECT operation_id, sequence, name, direction, started_at, finished_at, result, message, \
                 progress_done, progress_total \
                 FROM operation_steps WHERE 1 = 1",
            );
            page::push_among_ids(&mut sql, "operation_id", operations.iter().map(|id| id.to_string()));
            sql.push(" ORDER BY operation_id, sequence");
            let rows = sql.build().fetch_all(self.reader()).await?;
            rows.iter().map(journal::read_step).collect()
        })
        .await
    }

    async fn take_operations(
        &self,
        owner: ControlNodeId,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Operation>> {
        attempt("take operations over", || self.take_once(owner, now, until, limit)).await
    }

    async fn renew_leases(&self, owner: ControlNodeId, operations: &[OperationId], until: Timestamp) -> Result<Vec<OperationId>> {
        attempt("renew leases", || self.renew_once(owner, operations, until)).await
    }

    async fn release_leases(&self, owner: ControlNodeId) -> Result<()> {
        attempt("give leases back", || self.release_once(owner)).await
    }

    async fn journal(&self, entry: &JournalEntry) -> Result<Written> {
        attempt("write an operation's journal", || self.journal_once(entry)).await
    }

    async fn end_operation(&self, end: &EndOperation) -> Result<Written> {
        attempt("end an operation", || self.end_once(end)).await
    }

    async fn note_progress(&self, guard: LeaseGuard, sequence: u32, progress: Progress) -> Result<bool> {
        attempt("note a step's progress", || self.progress_once(guard, sequence, progress)).await
    }

    async fn cancel_operation(&self, id: OperationId) -> Result<bool> {
        attempt("cancel an operation", || self.cancel_once(id)).await
    }

    async fn is_cancelled(&self, id: OperationId) -> Result<bool> {
        const ASKED: &str = "SELECT id FROM operations WHERE id = $1 AND cancel_requested = 1";
        attempt("ask whether an operation is cancelled", || async move {
            Ok(sqlx::query(ASKED).bind(id.to_string()).fetch_optional(self.reader()).await?.is_some())
        })
        .await
    }

    async fn purge_operations(&self, ended_before: Timestamp) -> Result<u64> {
        // The steps go with them. A subject without a row is deleted too.
        const PURGE: &str = "DELETE FROM operations WHERE finished_at IS NOT NULL AND finished_at < $1 \
             AND NOT EXISTS (SELECT 1 FROM instances WHERE instances.id = operations.subject_id AND instances.state <> 'deleted') \
             AND NOT EXISTS (SELECT 1 FROM images WHERE images.id = operations.subject_id AND images.status <> 'deleted')";
        attempt("remove old operations", || async move {
            Ok(sqlx::query(PURGE).bind(ended_before.as_micros()).execute(self.writer()).await?.rows_affected())
        })
        .await
    }
}

pub(super) async fn insert(tx: &mut Tx, operation: &Operation) -> Attempt<()> {
    const INSERT: &str = concat!(
        "INSERT INTO operations (",
        operation_columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
    );
    let (subject_kind, subject_id) = subject::columns_of(operation.subject);
    let lease = operation.lease.as_ref();
    let query = sqlx::query(INSERT)
        .bind(operation.id.to_string())
        .bind(operation.kind.as_str())
        .bind(subject_kind)
        .bind(subject_id)
        .bind(operation.project_id.to_string())
        .bind(operation.user_id.to_string())
        .bind(operation.request_id.to_string())
        .bind(operation.status.as_str())
        .bind(i64::from(operation.next_step))
        .bind(bind::json(TABLE, "state", &operation.state)?)
        .bind(operation.fault.as_ref().map(|fault| bind::json(TABLE, "fault", fault)).transpose()?)
        .bind(i64::from(operation.cancel_requested))
        .bind(lease.map(|lease| lease.owner.to_string()))
        .bind(lease.map_or(0, |lease| lease.epoch))
        .bind(lease.map(|lease| lease.until.as_micros()))
        .bind(operation.started_at.as_micros())
        .bind(operation.finished_at.map(|time| time.as_micros()));
    query.execute(tx.connection()).await?;
    Ok(())
}

pub(super) fn read(row: &Row) -> Attempt<Operation> {
    let columns = Columns::new(TABLE, "id", row);
    let lease = columns.maybe("lease_owner", |columns, owner| {
        Ok(Lease { owner: columns.parsed(owner)?, epoch: columns.integer("lease_epoch")?, until: columns.time("lease_until")? })
    })?;
    Ok(Operation {
        id: columns.parsed("id")?,
        kind: columns.word("kind", OperationKind::from_word)?,
        subject: subject::read(&columns)?,
        project_id: columns.parsed("project_id")?,
        user_id: columns.parsed("user_id")?,
        request_id: RequestId::from_stored(columns.string("request_id")?),
        status: columns.word("status", OperationStatus::from_word)?,
        next_step: columns.number("next_step")?,
        state: columns.json("state")?,
        fault: columns.maybe("fault", Columns::json)?,
        cancel_requested: columns.flag("cancel_requested")?,
        lease,
        started_at: columns.time("started_at")?,
        finished_at: columns.maybe("finished_at", Columns::time)?,
    })
}

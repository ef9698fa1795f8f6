//! The journal: how far an operation is, and the attempts at its steps.

use cuttle_model::fault::Fault;
use cuttle_model::ids::OperationId;
use cuttle_model::operation::{Direction, Progress, StepRecord, StepResult};

use super::row::Columns;
use super::{Attempt, Handle, Row, Tx, bind, changed};
use crate::events::Event;
use crate::operations::{JournalEntry, LeaseGuard, StepEnd, Written};

const TABLE: &str = "operation_steps";

impl Handle {
    pub(super) async fn journal_once(&self, entry: &JournalEntry) -> Attempt<Written> {
        let mut tx = self.begin().await?;
        if !advance(&mut tx, entry).await? {
            return Ok(Written::LeaseLost);
        }
        if let Some(ended) = &entry.ended {
            end_step(&mut tx, entry.guard.operation, ended).await?;
        }
        if let Some(begun) = &entry.begun {
            begin_step(&mut tx, entry.guard.operation, begun).await?;
        }
        tx.announce(Event::Progress(entry.guard.operation));
        tx.commit().await?;
        Ok(Written::Done)
    }
}

impl Handle {
    pub(super) async fn progress_once(&self, guard: LeaseGuard, sequence: u32, progress: Progress) -> Attempt<bool> {
        const PROGRESS: &str = "UPDATE operation_steps SET progress_done = $4, progress_total = $5 \
             WHERE operation_id = $1 AND sequence = $3 AND EXISTS (SELECT 1 FROM operations \
             WHERE id = $1 AND lease_epoch = $2 AND lease_owner IS NOT NULL AND status IN ('running', 'undoing'))";
        let number = |units: u64| i64::try_from(units).unwrap_or(i64::MAX);
        let query = sqlx::query(PROGRESS)
            .bind(guard.operation.to_string())
            .bind(guard.epoch)
            .bind(i64::from(sequence))
            .bind(number(progress.done))
            .bind(progress.total.map(number));
        let mut tx = self.begin().await?;
        let is_held = changed(query, tx.connection()).await?;
        tx.announce(Event::Progress(guard.operation));
        tx.commit().await?;
        Ok(is_held)
    }

    pub(super) async fn cancel_once(&self, id: OperationId) -> Attempt<bool> {
        const CANCEL: &str = "UPDATE operations SET cancel_requested = 1 WHERE id = $1 AND status = 'running'";
        let mut tx = self.begin().await?;
        let found = changed(sqlx::query(CANCEL).bind(id.to_string()), tx.connection()).await?;
        tx.announce(Event::Cancelled(id));
        tx.commit().await?;
        Ok(found)
    }
}

/// Writes how far the operation is, if the lease is still held.
async fn advance(tx: &mut Tx, entry: &JournalEntry) -> Attempt<bool> {
    const ADVANCE: &str = "UPDATE operations SET status = $3, next_step = $4, state = $5, fault = $6 \
         WHERE id = $1 AND lease_epoch = $2 AND lease_owner IS NOT NULL AND status IN ('running', 'undoing')";
    let JournalEntry { guard: LeaseGuard { operation, epoch }, status, next_step, state, fault, .. } = entry;
    let query = sqlx::query(ADVANCE)
        .bind(operation.to_string())
        .bind(epoch)
        .bind(status.as_str())
        .bind(i64::from(*next_step))
        .bind(bind::json("operations", "state", state)?)
        .bind(fault_json(fault.as_ref())?);
    changed(query, tx.connection()).await
}

pub(super) fn fault_json(fault: Option<&Fault>) -> Attempt<Option<String>> {
    fault.map(|fault| bind::json("operations", "fault", fault)).transpose()
}

pub(super) async fn end_step(tx: &mut Tx, operation: OperationId, ended: &StepEnd) -> Attempt<()> {
    const END: &str = "UPDATE operation_steps SET finished_at = $4, result = $5, message = $6 \
         WHERE operation_id = $1 AND sequence = $2 AND direction = $3";
    let query = sqlx::query(END)
        .bind(operation.to_string())
        .bind(i64::from(ended.sequence))
        .bind(ended.direction.as_str())
        .bind(ended.finished_at.as_micros())
        .bind(ended.result.as_str())
        .bind(ended.message.clone());
    query.execute(tx.connection()).await?;
    Ok(())
}

/// An attempt that is in the journal already stays as it is: the entry may be written again after its
/// answer got lost.
async fn begin_step(tx: &mut Tx, operation: OperationId, begun: &StepRecord) -> Attempt<()> {
    const BEGIN: &str = "INSERT INTO operation_steps \
         (operation_id, sequence, name, direction, started_at, finished_at, result, message) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (operation_id, sequence) DO NOTHING";
    let query = sqlx::query(BEGIN)
        .bind(operation.to_string())
        .bind(i64::from(begun.sequence))
        .bind(begun.name.clone())
        .bind(begun.direction.as_str())
        .bind(begun.started_at.as_micros())
        .bind(begun.finished_at.map(|time| time.as_micros()))
        .bind(begun.result.map(StepResult::as_str))
        .bind(begun.message.clone());
    query.execute(tx.connection()).await?;
    Ok(())
}

pub(super) fn read_step(row: &Row) -> Attempt<(OperationId, StepRecord)> {
    let columns = Columns::new(TABLE, "operation_id", row);
    let direction = |word: &str| [Direction::Do, Direction::Undo].into_iter().find(|direction| direction.as_str() == word);
    let done = columns.maybe("progress_done", Columns::number)?;
    let total = columns.maybe("progress_total", Columns::number)?;
    let record = StepRecord {
        sequence: columns.number("sequence")?,
        name: columns.string("name")?,
        direction: columns.word("direction", direction)?,
        started_at: columns.time("started_at")?,
        finished_at: columns.maybe("finished_at", Columns::time)?,
        result: columns.maybe("result", |columns, column| columns.word(column, StepResult::from_word))?,
        message: columns.maybe("message", Columns::string)?,
        progress: done.map(|done| Progress { done, total }),
    };
    Ok((columns.parsed("operation_id")?, record))
}

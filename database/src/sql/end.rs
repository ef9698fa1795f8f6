//! The end of an operation, and the turn of the one that waited for it.

use cuttle_model::operation::{OperationKind, OperationStatus};

use super::migrations::Ended;
use super::row::Columns;
use super::{Attempt, Handle, Tx, bind, journal, leases, migrations, subject};
use crate::events::Event;
use crate::operations::{EndOperation, LeaseGuard, SubjectEnd, Written};

impl Handle {
    pub(super) async fn end_once(&self, end: &EndOperation) -> Attempt<Written> {
        let mut tx = self.begin().await?;
        // First, as this locks the subject. An operation that another worker has taken over, or that
        // has ended, is told from a subject that has changed by its lease.
        if !subject::end(&mut tx, &end.subject).await? {
            return match leases::is_held(&mut tx, &end.guard).await? {
                true => Ok(Written::Stale),
                false => Ok(Written::LeaseLost),
            };
        }
        let Some(ended) = finish(&mut tx, end).await? else { return Ok(Written::LeaseLost) };
        if let SubjectEnd::Instance { instance, .. } = &end.subject {
            migrations::note_end(&mut tx, &ended, end.status, instance, end.finished_at).await?;
        }
        if let Some(ended) = &end.ended {
            journal::end_step(&mut tx, end.guard.operation, ended).await?;
        }
        tx.announce(Event::Ended(end.guard.operation));
        promote(&mut tx, &end.subject).await?;
        tx.commit().await?;
        Ok(Written::Done)
    }
}

/// Ends the operation and its lease, if that is still held.
async fn finish(tx: &mut Tx, end: &EndOperation) -> Attempt<Option<Ended>> {
    const FINISH: &str = "UPDATE operations SET status = $3, state = $4, fault = $5, finished_at = $6, lease_owner = NULL, \
         lease_until = NULL \
         WHERE id = $1 AND subject_id = $7 AND lease_epoch = $2 AND lease_owner IS NOT NULL AND status IN ('running', 'undoing') \
         RETURNING id, kind, cancel_requested";
    let EndOperation { guard: LeaseGuard { operation, epoch }, status, state, fault, finished_at, .. } = end;
    let query = sqlx::query(FINISH)
        .bind(operation.to_string())
        .bind(epoch)
        .bind(status.as_str())
        .bind(bind::json("operations", "state", state)?)
        .bind(journal::fault_json(fault.as_ref())?)
        .bind(finished_at.as_micros())
        .bind(subject_id(&end.subject));
    let Some(row) = query.fetch_optional(tx.connection()).await? else { return Ok(None) };
    let columns = Columns::new("operations", "id", &row);
    let kind = columns.word("kind", OperationKind::from_word)?;
    Ok(Some(Ended { kind, cancelled: columns.flag("cancel_requested")? }))
}

/// Lets the operation that waits for the subject run. It has no lease, so whoever is first takes it.
async fn promote(tx: &mut Tx, ended: &SubjectEnd) -> Attempt<()> {
    const PROMOTE: &str = "UPDATE operations SET status = $2 WHERE subject_id = $1 AND status = 'waiting' RETURNING id";
    let query = sqlx::query(PROMOTE).bind(subject_id(ended)).bind(OperationStatus::Running.as_str());
    for row in query.fetch_all(tx.connection()).await? {
        tx.announce(Event::Ready(Columns::new("operations", "id", &row).parsed("id")?));
    }
    Ok(())
}

fn subject_id(ended: &SubjectEnd) -> String {
    match ended {
        SubjectEnd::Instance { instance, .. } => instance.id.to_string(),
        SubjectEnd::Image(image) => image.id.to_string(),
        SubjectEnd::Host(id) => id.to_string(),
    }
}

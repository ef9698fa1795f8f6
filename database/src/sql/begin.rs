//! The begin of an operation on a subject that exists.

use cuttle_model::fault::{Fault, FaultKind};
use cuttle_model::ids::OperationId;
use cuttle_model::operation::{Operation, OperationKind, OperationStatus};

use super::row::Columns;
use super::{Attempt, Handle, Row, Tx, claims, journal, migrations, operations, placements, quotas, server_groups, subject};
use crate::events::Event;
use crate::operations::{Begin, Begun, Room, WhenBusy};
use crate::placements::Hints;

impl Handle {
    pub(super) async fn begin_once(&self, begin: &Begin) -> Attempt<Begun> {
        let mut tx = self.begin().await?;
        // First, as this locks the subject: from here on nobody else begins or ends an operation on it.
        if !subject::mark(&mut tx, begin).await? {
            return Ok(Begun::Stale);
        }
        let Others { active, waiting } = others(&mut tx, &begin.operation).await?;
        let begun = match (active, begin.when_busy) {
            (Some(_), WhenBusy::Refuse) => return Ok(Begun::Busy),
            (None, _) => {
                let running = Operation { status: OperationStatus::Running, ..begin.operation.clone() };
                operations::insert(&mut tx, &running).await?;
                Begun::Begun
            }
            (Some(active), WhenBusy::CancelAndWait) => {
                match waiting {
                    Some((_, kind)) if kind == begin.operation.kind => return Ok(Begun::Busy),
                    Some((replaced, _)) => end_unbegun(&mut tx, replaced, &begin.operation).await?,
                    None => {}
                }
                cancel(&mut tx, active).await?;
                // Who works on it is decided when its turn comes.
                let waiting = Operation { status: OperationStatus::Waiting, lease: None, ..begin.operation.clone() };
                operations::insert(&mut tx, &waiting).await?;
                Begun::Waiting
            }
        };
        if let Some(room) = &begin.room
            && let Some(refused) = take_room(&mut tx, room, &begin.operation).await?
        {
            return Ok(refused);
        }
        migrations::note_begin(&mut tx, &begin.operation).await?;
        tx.commit().await?;
        Ok(begun)
    }
}

/// Claims the room that the operation needs and records the move, or says why it cannot have it.
async fn take_room(tx: &mut Tx, room: &Room, operation: &Operation) -> Attempt<Option<Begun>> {
    if let Some((scope, more)) = &room.quota {
        let over = quotas::check_instance(tx, more, scope).await?;
        if !over.is_empty() {
            return Ok(Some(Begun::OverQuota(over)));
        }
    }
    // Before the host, as everywhere: so two of these never wait for each other.
    let instance = room.placement.claim.instance_id;
    if let Some(group) = server_groups::lock_that_of(tx, instance).await?
        && !server_groups::allows(tx, group, instance, room.placement.claim.host_id).await?
    {
        return Ok(Some(Begun::HostFull));
    }
    if !claims::lock_host(tx, &room.placement).await? || !claims::claim(tx, &room.placement, claims::OTHER).await? {
        return Ok(Some(Begun::HostFull));
    }
    migrations::insert(tx, &room.migration, operation).await?;
    placements::insert(tx, instance, &Hints::new(), Some(&room.record)).await?;
    Ok(None)
}

/// The operations that are not over on a subject. One waits only for another that is active.
#[derive(Default)]
struct Others {
    active: Option<OperationId>,
    waiting: Option<(OperationId, OperationKind)>,
}

async fn others(tx: &mut Tx, operation: &Operation) -> Attempt<Others> {
    const OTHERS: &str = "SELECT id, kind, status FROM operations WHERE subject_id = $1 AND status IN ('running', 'undoing') \
         UNION ALL SELECT id, kind, status FROM operations WHERE subject_id = $1 AND status = 'waiting'";
    let (_, subject_id) = subject::columns_of(operation.subject);
    let rows = sqlx::query(OTHERS).bind(subject_id).fetch_all(tx.connection()).await?;
    let mut found = Others::default();
    for row in &rows {
        match read(row)? {
            (id, kind, OperationStatus::Waiting) => found.waiting = Some((id, kind)),
            (id, ..) => found.active = Some(id),
        }
    }
    Ok(found)
}

fn read(row: &Row) -> Attempt<(OperationId, OperationKind, OperationStatus)> {
    let columns = Columns::new("operations", "id", row);
    let (kind, status) = (columns.word("kind", OperationKind::from_word)?, columns.word("status", OperationStatus::from_word)?);
    Ok((columns.parsed("id")?, kind, status))
}

/// Ends an operation that waited and has done nothing yet: another takes its turn.
async fn end_unbegun(tx: &mut Tx, replaced: OperationId, by: &Operation) -> Attempt<()> {
    const END: &str = "UPDATE operations SET status = $2, fault = $3, finished_at = $4 WHERE id = $1";
    let fault = Fault::new(FaultKind::Internal, format!("it was cancelled before it began: {} came", by.kind.as_str()));
    let query = sqlx::query(END)
        .bind(replaced.to_string())
        .bind(OperationStatus::Undone.as_str())
        .bind(journal::fault_json(Some(&fault))?)
        .bind(by.started_at.as_micros());
    query.execute(tx.connection()).await?;
    tx.announce(Event::Ended(replaced));
    Ok(())
}

async fn cancel(tx: &mut Tx, active: OperationId) -> Attempt<()> {
    const CANCEL: &str = "UPDATE operations SET cancel_requested = 1 WHERE id = $1";
    sqlx::query(CANCEL).bind(active.to_string()).execute(tx.connection()).await?;
    tx.announce(Event::Cancelled(active));
    Ok(())
}

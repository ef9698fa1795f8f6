//! Leases: who works on an operation, and the guard that a write of a worker names.
//!
//! A lease is held from when its operation is taken until it is taken again, given back, or the
//! operation ends. That its time is over only allows others to fence its owner, and then to take it.

use cuttle_model::clock::Timestamp;
use cuttle_model::ids::{ControlNodeId, OperationId};
use cuttle_model::operation::Operation;
use sqlx::QueryBuilder;

use super::operations::operation_columns;
use super::row::Columns;
use super::{Attempt, Handle, Tx, operations, page};
use crate::operations::{LeaseGuard, Written};

impl Handle {
    pub(super) async fn take_once(
        &self,
        owner: ControlNodeId,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Attempt<Vec<Operation>> {
        const TAKE: &str = concat!(
            "UPDATE operations SET lease_owner = $1, lease_until = $3, lease_epoch = lease_epoch + 1 WHERE id IN (\
             SELECT id FROM operations \
             WHERE status IN ('running', 'undoing') AND (lease_until IS NULL \
             OR lease_owner IN (SELECT id FROM control_nodes WHERE fenced_at IS NOT NULL) \
             OR (lease_until <= $2 AND (lease_owner = $1 OR lease_owner NOT IN (SELECT id FROM control_nodes)))) \
             ORDER BY started_at, id LIMIT $4",
            skip_locked!(),
            ") RETURNING ",
            operation_columns!()
        );
        let query = sqlx::query(TAKE).bind(owner.to_string()).bind(now.as_micros()).bind(until.as_micros());
        let rows = query.bind(i64::from(limit)).fetch_all(self.writer()).await?;
        let mut taken: Vec<Operation> = rows.iter().map(operations::read).collect::<Attempt<_>>()?;
        // Rows come back in no order.
        taken.sort_by_key(|operation| (operation.started_at, operation.id));
        Ok(taken)
    }

    pub(super) async fn renew_once(
        &self,
        owner: ControlNodeId,
        operations: &[OperationId],
        until: Timestamp,
    ) -> Attempt<Vec<OperationId>> {
        if operations.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = QueryBuilder::new("UPDATE operations SET lease_until = ");
        sql.push_bind(until.as_micros());
        sql.push(" WHERE status IN ('running', 'undoing') AND lease_owner = ").push_bind(owner.to_string());
        sql.push(" AND NOT EXISTS (SELECT 1 FROM control_nodes WHERE id = lease_owner AND condemned_at IS NOT NULL)");
        page::push_among(&mut sql, "id", operations.iter().map(|id| id.to_string()));
        sql.push(" RETURNING id");
        let rows = sql.build().fetch_all(self.writer()).await?;
        rows.iter().map(|row| Columns::new("operations", "id", row).parsed("id")).collect()
    }

    pub(super) async fn release_once(&self, owner: ControlNodeId) -> Attempt<()> {
        const RELEASE: &str = "UPDATE operations SET lease_owner = NULL, lease_until = NULL \
             WHERE lease_owner = $1 AND status IN ('running', 'undoing')";
        sqlx::query(RELEASE).bind(owner.to_string()).execute(self.writer()).await?;
        Ok(())
    }
}

/// Is the lease still held? If so it is until the transaction ends.
pub(super) async fn is_held(tx: &mut Tx, guard: &LeaseGuard) -> Attempt<bool> {
    const HELD: &str = concat!(
        "SELECT id FROM operations WHERE id = $1 AND lease_epoch = $2 AND lease_owner IS NOT NULL \
         AND status IN ('running', 'undoing')",
        for_share!()
    );
    let query = sqlx::query(HELD).bind(guard.operation.to_string()).bind(guard.epoch);
    Ok(query.fetch_optional(tx.connection()).await?.is_some())
}

/// Commits a guarded write that did (or did not) find its row, if the lease is still held.
pub(super) async fn finish_guarded(mut tx: Tx, guard: &LeaseGuard, found: bool) -> Attempt<Written> {
    match (is_held(&mut tx, guard).await?, found) {
        (false, _) => Ok(Written::LeaseLost),
        (true, false) => Ok(Written::Stale),
        (true, true) => {
            tx.commit().await?;
            Ok(Written::Done)
        }
    }
}

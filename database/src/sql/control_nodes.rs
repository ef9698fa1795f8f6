//! Control nodes.

use async_trait::async_trait;
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::ControlNodeId;
use cuttle_model::operation::ControlNode;

use super::row::Columns;
use super::{Attempt, Handle, Row, attempt, bind, changed};
use crate::Result;
use crate::control_nodes::ControlNodes;

const TABLE: &str = "control_nodes";

macro_rules! node_columns {
    () => {
        "id, addresses, started_at, seen_at, condemned_at, fenced_at"
    };
}

#[async_trait]
impl ControlNodes for Handle {
    async fn insert_node(&self, node: &ControlNode) -> Result<()> {
        const INSERT: &str = concat!(
            "INSERT INTO control_nodes (",
            node_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING"
        );
        attempt("insert a control node", || async move {
            let query = sqlx::query(INSERT)
                .bind(node.id.to_string())
                .bind(bind::json(TABLE, "addresses", &node.addresses)?)
                .bind(node.started_at.as_micros())
                .bind(node.seen_at.as_micros())
                .bind(node.condemned_at.map(|time| time.as_micros()))
                .bind(node.fenced_at.map(|time| time.as_micros()));
            query.execute(self.writer()).await?;
            Ok(())
        })
        .await
    }

    async fn node_seen(&self, id: ControlNodeId, now: Timestamp) -> Result<bool> {
        const SEEN: &str = "UPDATE control_nodes SET seen_at = $2 WHERE id = $1 AND condemned_at IS NULL";
        attempt("note a control node", || async move {
            changed(sqlx::query(SEEN).bind(id.to_string()).bind(now.as_micros()), self.writer()).await
        })
        .await
    }

    async fn condemn_nodes(&self, except: ControlNodeId, now: Timestamp) -> Result<Vec<ControlNode>> {
        // Whoever renews at the same moment either does so before this, and has no lease that is over, or finds itself
        // condemned; see the renewal.
        const CONDEMN: &str = concat!(
            "UPDATE control_nodes SET condemned_at = COALESCE(condemned_at, $2) WHERE id <> $1 AND fenced_at IS NULL \
             AND (condemned_at IS NOT NULL OR id IN (SELECT lease_owner FROM operations \
             WHERE status IN ('running', 'undoing') AND lease_until <= $2)) RETURNING ",
            node_columns!()
        );
        const ANY: &str = "SELECT id FROM control_nodes WHERE id <> $1 AND fenced_at IS NULL \
             AND (condemned_at IS NOT NULL OR id IN (SELECT lease_owner FROM operations \
             WHERE status IN ('running', 'undoing') AND lease_until <= $2)) LIMIT 1";
        attempt("condemn control nodes", || async move {
            // There is hardly ever one, and reading waits for nobody.
            let any = sqlx::query(ANY).bind(except.to_string()).bind(now.as_micros());
            if any.fetch_optional(self.reader()).await?.is_none() {
                return Ok(Vec::new());
            }
            let query = sqlx::query(CONDEMN).bind(except.to_string()).bind(now.as_micros());
            query.fetch_all(self.writer()).await?.iter().map(read).collect()
        })
        .await
    }

    async fn node_fenced(&self, id: ControlNodeId, now: Timestamp) -> Result<()> {
        const FENCED: &str = "UPDATE control_nodes SET condemned_at = COALESCE(condemned_at, $2), fenced_at = COALESCE(fenced_at, $2) WHERE id = $1";
        attempt("note a fenced control node", || async move {
            sqlx::query(FENCED).bind(id.to_string()).bind(now.as_micros()).execute(self.writer()).await?;
            Ok(())
        })
        .await
    }

    async fn delete_node(&self, id: ControlNodeId) -> Result<()> {
        attempt("forget a control node", || async move {
            sqlx::query("DELETE FROM control_nodes WHERE id = $1").bind(id.to_string()).execute(self.writer()).await?;
            Ok(())
        })
        .await
    }

    async fn list_nodes(&self) -> Result<Vec<ControlNode>> {
        const LIST: &str = concat!("SELECT ", node_columns!(), " FROM control_nodes ORDER BY started_at DESC, id DESC");
        attempt(
            "list control nodes",
            || async move { sqlx::query(LIST).fetch_all(self.reader()).await?.iter().map(read).collect() },
        )
        .await
    }

    async fn purge_nodes(&self, seen_before: Timestamp) -> Result<u64> {
        const PURGE: &str = "DELETE FROM control_nodes WHERE seen_at < $1 AND id NOT IN (SELECT lease_owner FROM operations \
             WHERE status IN ('running', 'undoing') AND lease_owner IS NOT NULL)";
        attempt("forget control nodes", || async move {
            Ok(sqlx::query(PURGE).bind(seen_before.as_micros()).execute(self.writer()).await?.rows_affected())
        })
        .await
    }
}

fn read(row: &Row) -> Attempt<ControlNode> {
    let columns = Columns::new(TABLE, "id", row);
    Ok(ControlNode {
        id: columns.parsed("id")?,
        addresses: columns.json("addresses")?,
        started_at: columns.time("started_at")?,
        seen_at: columns.time("seen_at")?,
        condemned_at: columns.maybe("condemned_at", Columns::time)?,
        fenced_at: columns.maybe("fenced_at", Columns::time)?,
    })
}

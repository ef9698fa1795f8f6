//! Commands to agents and their reports.

use async_trait::async_trait;
use cuttle_compute_protocol::{Command, Report};
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::{CommandId, HostId};

use super::row::Columns;
use super::{Attempt, Handle, Row, attempt, bind, changed};
use crate::Result;
use crate::commands::{Commands, ReportStored};
use crate::events::Event;

const TABLE: &str = "commands";

#[async_trait]
impl Commands for Handle {
    async fn insert_command(&self, host: HostId, command: &Command) -> Result<()> {
        const INSERT: &str = "INSERT INTO commands (id, host_id, instance_id, epoch, action, command, not_after) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING";
        attempt("insert a command", || async move {
            let mut tx = self.begin().await?;
            let query = sqlx::query(INSERT)
                .bind(command.id.to_string())
                .bind(host.to_string())
                .bind(command.instance_id.to_string())
                .bind(command.epoch.0)
                .bind(command.action.name())
                .bind(bind::json(TABLE, "command", command)?)
                .bind(command.not_after.as_micros());
            if changed(query, tx.connection()).await? {
                tx.announce(Event::Command(host));
                tx.commit().await?;
            }
            Ok(())
        })
        .await
    }

    async fn pending_commands(&self, host: HostId) -> Result<Vec<Command>> {
        const PENDING: &str = "SELECT id, command FROM commands \
             WHERE host_id = $1 AND report IS NULL AND withdrawn = 0 ORDER BY sequence";
        attempt("list pending commands", || async move {
            let rows = sqlx::query(PENDING).bind(host.to_string()).fetch_all(self.reader()).await?;
            rows.iter().map(read).collect()
        })
        .await
    }

    async fn store_report(&self, host: HostId, report: &Report, now: Timestamp) -> Result<ReportStored> {
        // A report of another instance or epoch than the command's is of no command.
        const STORE: &str = "UPDATE commands SET report = $5, reported_at = $6 \
             WHERE id = $1 AND host_id = $2 AND instance_id = $3 AND epoch = $4 AND report IS NULL";
        const KNOWN: &str = "SELECT id FROM commands WHERE id = $1 AND host_id = $2 AND instance_id = $3 AND epoch = $4";
        let named = |statement| {
            sqlx::query(statement)
                .bind(report.command_id.to_string())
                .bind(host.to_string())
                .bind(report.instance_id.to_string())
                .bind(report.epoch.0)
        };
        let named = &named;
        attempt("store a report", || async move {
            let mut tx = self.begin().await?;
            let query = named(STORE).bind(bind::json(TABLE, "report", report)?).bind(now.as_micros());
            if changed(query, tx.connection()).await? {
                tx.announce(Event::Report(report.command_id));
                tx.commit().await?;
                return Ok(ReportStored::Stored);
            }
            match named(KNOWN).fetch_optional(tx.connection()).await? {
                Some(_) => Ok(ReportStored::Known),
                None => Ok(ReportStored::NoSuchCommand),
            }
        })
        .await
    }

    async fn get_report(&self, command: CommandId) -> Result<Option<Report>> {
        const GET: &str = "SELECT id, report FROM commands WHERE id = $1 AND report IS NOT NULL";
        attempt("get a report", || async move {
            let row = sqlx::query(GET).bind(command.to_string()).fetch_optional(self.reader()).await?;
            row.as_ref().map(|row| Columns::new(TABLE, "id", row).json("report")).transpose()
        })
        .await
    }

    async fn withdraw_command(&self, command: CommandId) -> Result<()> {
        const WITHDRAW: &str = "UPDATE commands SET withdrawn = 1 WHERE id = $1 AND report IS NULL";
        attempt("withdraw a command", || async move {
            sqlx::query(WITHDRAW).bind(command.to_string()).execute(self.writer()).await?;
            Ok(())
        })
        .await
    }

    async fn purge_commands(&self, before: Timestamp) -> Result<u64> {
        const PURGE: &str = "DELETE FROM commands WHERE (reported_at IS NOT NULL AND reported_at < $1) \
             OR (withdrawn = 1 AND not_after < $1)";
        attempt("remove old commands", || async move {
            Ok(sqlx::query(PURGE).bind(before.as_micros()).execute(self.writer()).await?.rows_affected())
        })
        .await
    }
}

fn read(row: &Row) -> Attempt<Command> {
    Columns::new(TABLE, "id", row).json("command")
}

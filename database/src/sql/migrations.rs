//! Migrations: rows, lists, and what operations write of them.

use async_trait::async_trait;
use cuttle_model::clock::Timestamp;
use cuttle_model::flavor::FlavorId;
use cuttle_model::instance::{Instance, StateName};
use cuttle_model::migration::{Migration, MigrationKind, MigrationStatus, NewMigration};
use cuttle_model::operation::{Operation, OperationKind, OperationStatus};
use sqlx::QueryBuilder;

use super::page::Key;
use super::row::Columns;
use super::{Attempt, Db, Handle, Row, Tx, attempt, page};
use crate::Result;
use crate::instances::SortDirection;
use crate::migrations::{MigrationQuery, Migrations};

const TABLE: &str = "migrations";

/// Newest first.
const ORDER: [Key; 1] = [Key { expression: "number", direction: SortDirection::Descending }];

#[async_trait]
impl Migrations for Handle {
    async fn list_migrations(&self, query: &MigrationQuery) -> Result<Vec<Migration>> {
        attempt("list migrations", || async move {
            let rows = select(query).build().fetch_all(self.reader()).await?;
            rows.iter().map(read).collect()
        })
        .await
    }
}

/// Writes the record of a move that begins. Its hosts are there, as they are locked or have the instance.
pub(super) async fn insert(tx: &mut Tx, new: &NewMigration, operation: &Operation) -> Attempt<()> {
    const INSERT: &str = "INSERT INTO migrations (id, instance_id, project_id, user_id, operation_id, kind, status, settled, \
         source, destination, old_flavor, new_flavor, created_at, updated_at) \
         SELECT $1, $2, $3, $4, $5, $6, $7, 0, source.name, destination.name, $10, $11, $12, $12 \
         FROM hosts AS source, hosts AS destination WHERE source.id = $8 AND destination.id = $9";
    let (_, instance) = super::subject::columns_of(operation.subject);
    let query = sqlx::query(INSERT)
        .bind(new.id.to_string())
        .bind(instance)
        .bind(operation.project_id.to_string())
        .bind(operation.user_id.to_string())
        .bind(operation.id.to_string())
        .bind(new.kind.as_str())
        .bind(MigrationStatus::first(new.kind).as_str())
        .bind(new.source.to_string())
        .bind(new.destination.to_string())
        .bind(new.old_flavor.0.clone())
        .bind(new.new_flavor.0.clone())
        .bind(operation.started_at.as_micros());
    query.execute(tx.connection()).await?;
    Ok(())
}

/// Writes what the begin of an operation makes of its instance's open migration.
pub(super) async fn note_begin(tx: &mut Tx, operation: &Operation) -> Attempt<()> {
    let Some(status) = MigrationStatus::at_begin_of(operation.kind) else { return Ok(()) };
    let (_, instance) = super::subject::columns_of(operation.subject);
    note(tx, instance, status, operation.started_at).await
}

/// Writes what the end of an operation makes of its instance's open migration.
pub(super) async fn note_end(
    tx: &mut Tx,
    ended: &Ended,
    status: OperationStatus,
    instance: &Instance,
    at: Timestamp,
) -> Attempt<()> {
    let awaits_answer = instance.state.name() == StateName::Resized;
    let Some(status) = MigrationStatus::at_end_of(ended.kind, status, ended.cancelled, awaits_answer) else { return Ok(()) };
    note(tx, instance.id.to_string(), status, at).await
}

/// What an operation was that has ended.
pub(super) struct Ended {
    pub(super) kind: OperationKind,
    pub(super) cancelled: bool,
}

async fn note(tx: &mut Tx, instance: String, status: MigrationStatus, at: Timestamp) -> Attempt<()> {
    const NOTE: &str = "UPDATE migrations SET status = $2, settled = $3, updated_at = $4 WHERE instance_id = $1 AND settled = 0";
    let query = sqlx::query(NOTE).bind(instance).bind(status.as_str());
    query.bind(i64::from(status.is_settled())).bind(at.as_micros()).execute(tx.connection()).await?;
    Ok(())
}

fn select(query: &MigrationQuery) -> QueryBuilder<Db> {
    let mut sql = QueryBuilder::new(
        "SELECT number, id, instance_id, project_id, user_id, operation_id, kind, status, source, destination, \
         old_flavor, new_flavor, created_at, updated_at FROM migrations WHERE 1 = 1",
    );
    let equal = [
        ("id", query.id.map(|id| id.to_string())),
        ("instance_id", query.instance.map(|id| id.to_string())),
        ("kind", query.kind.map(|kind| kind.as_str().to_owned())),
        ("status", query.status.clone()),
        ("source", query.source.clone()),
        ("project_id", query.project.map(|id| id.to_string())),
        ("user_id", query.user.map(|id| id.to_string())),
    ];
    for (column, value) in equal {
        if let Some(value) = value {
            sql.push(format_args!(" AND {column} = ")).push_bind(value);
        }
    }
    let numbers = [
        ("number =", query.number),
        ("settled =", query.is_settled.map(i64::from)),
        ("updated_at >=", query.changed_since.map(|time| time.as_micros())),
        ("updated_at <=", query.changed_before.map(|time| time.as_micros())),
    ];
    for (condition, value) in numbers {
        if let Some(value) = value {
            sql.push(format_args!(" AND {condition} ")).push_bind(value);
        }
    }
    if let Some(host) = &query.host {
        sql.push(" AND (source = ").push_bind(host.clone()).push(" OR destination = ").push_bind(host.clone()).push(")");
    }
    if let Some(marker) = query.marker {
        page::push_after(&mut sql, TABLE, &ORDER, &marker.to_string());
    }
    page::push_order(&mut sql, &ORDER, query.limit);
    sql
}

fn read(row: &Row) -> Attempt<Migration> {
    let columns = Columns::new(TABLE, "id", row);
    Ok(Migration {
        number: columns.integer("number")?,
        id: columns.parsed("id")?,
        instance_id: columns.parsed("instance_id")?,
        project_id: columns.parsed("project_id")?,
        user_id: columns.parsed("user_id")?,
        operation_id: columns.parsed("operation_id")?,
        kind: columns.word("kind", MigrationKind::from_word)?,
        status: columns.word("status", MigrationStatus::from_word)?,
        source: columns.parsed("source")?,
        destination: columns.parsed("destination")?,
        old_flavor: FlavorId(columns.string("old_flavor")?),
        new_flavor: FlavorId(columns.string("new_flavor")?),
        created_at: columns.time("created_at")?,
        updated_at: columns.time("updated_at")?,
    })
}

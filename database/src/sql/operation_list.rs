//! The one query that lists operations.

use sqlx::QueryBuilder;

use super::operations::operation_columns;
use super::page::{self, Key};
use super::{Db, subject};
use crate::instances::SortDirection;
use crate::operations::OperationQuery;

/// The newest first.
const ORDER: [Key; 2] = [
    Key { expression: "started_at", direction: SortDirection::Descending },
    Key { expression: "id", direction: SortDirection::Descending },
];

pub(super) fn select(query: &OperationQuery) -> QueryBuilder<Db> {
    let mut sql = QueryBuilder::new(concat!("SELECT ", operation_columns!(), " FROM operations WHERE 1 = 1"));
    if !query.statuses.is_empty() {
        page::push_among(&mut sql, "status", query.statuses.iter().map(|status| status.as_str().to_owned()));
        if query.statuses.iter().all(|status| status.is_open()) {
            // As in the partial index: what is under way is little, whatever has been.
            sql.push(" AND finished_at IS NULL");
        }
    }
    if !query.kinds.is_empty() {
        page::push_among(&mut sql, "kind", query.kinds.iter().map(|kind| kind.as_str().to_owned()));
    }
    if let Some(subject) = query.subject {
        let (kind, id) = subject::columns_of(subject);
        sql.push(" AND subject_kind = ").push_bind(kind).push(" AND subject_id = ").push_bind(id);
    }
    if let Some(project) = query.project {
        sql.push(" AND project_id = ").push_bind(project.to_string());
    }
    if let Some(request) = &query.request {
        sql.push(" AND request_id = ").push_bind(request.to_string());
    }
    if let Some(marker) = query.marker {
        page::push_after(&mut sql, "operations", &ORDER, &marker.to_string());
    }
    page::push_order(&mut sql, &ORDER, query.limit);
    sql
}

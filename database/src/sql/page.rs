//! Lists in an order and by pages: a page begins after the row that the last one ended with, so it
//! is found by the index and does not shift when rows come and go.

use crate::instances::SortDirection;
use sqlx::QueryBuilder;

use super::Db;

/// One key of an order. The expression is never null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) expression: &'static str,
    pub(super) direction: SortDirection,
}

/// The keys asked for and then the usual ones, each once, and none after the id: it decides.
pub(super) fn order(asked: impl IntoIterator<Item = Key>, usual: &[Key]) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for key in asked.into_iter().chain(usual.iter().copied()) {
        if keys.iter().any(|earlier| earlier.expression == "id") {
            break;
        }
        if keys.iter().all(|earlier| earlier.expression != key.expression) {
            keys.push(key);
        }
    }
    keys
}

/// ` AND …`: only rows of `table` that come after the one with the id `marker`. No row, if there is none.
pub(super) fn push_after(query: &mut QueryBuilder<Db>, table: &str, keys: &[Key], marker: &str) {
    let Some(first) = keys.first() else { return };
    if keys.iter().all(|key| key.direction == first.direction) {
        let names = keys.iter().map(|key| key.expression).collect::<Vec<_>>().join(", ");
        query.push(format_args!(" AND ({names}) {} (SELECT {names} FROM {table} WHERE id = ", beyond(first.direction)));
        query.push_bind(marker.to_owned()).push(")");
        return;
    }
    let of_marker = |query: &mut QueryBuilder<Db>, key: &Key| {
        query.push(format_args!("(SELECT {} FROM {table} WHERE id = ", key.expression));
        query.push_bind(marker.to_owned()).push(")");
    };
    // Follows from what comes after it, and is what an index can be searched by.
    query.push(format_args!(" AND {} {}= ", first.expression, beyond(first.direction)));
    of_marker(query, first);
    query.push(" AND (");
    for (position, key) in keys.iter().enumerate() {
        query.push(if position == 0 { "(" } else { " OR (" });
        for equal in &keys[..position] {
            query.push(format_args!("{} = ", equal.expression));
            of_marker(query, equal);
            query.push(" AND ");
        }
        query.push(format_args!("{} {} ", key.expression, beyond(key.direction)));
        of_marker(query, key);
        query.push(")");
    }
    query.push(")");
}

/// ` ORDER BY …` and, if there is one, the limit.
pub(super) fn push_order(query: &mut QueryBuilder<Db>, keys: &[Key], limit: Option<u32>) {
    for (position, key) in keys.iter().enumerate() {
        query.push(if position == 0 { " ORDER BY " } else { ", " });
        query.push(key.expression);
        query.push(match key.direction {
            SortDirection::Ascending => " ASC",
            SortDirection::Descending => " DESC",
        });
    }
    if let Some(limit) = limit {
        query.push(" LIMIT ").push_bind(i64::from(limit));
    }
}

/// ` AND column IN (…)`; no row, if there are no values.
pub(super) fn push_among(query: &mut QueryBuilder<Db>, column: &str, values: impl IntoIterator<Item = String>) {
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        query.push(" AND 1 = 0");
        return;
    }
    query.push(format_args!(" AND {column} IN ("));
    let mut list = query.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    query.push(")");
}

/// ` AND column IN (…)` for any number of ids, as one value: the statement is the same however many they are.
pub(super) fn push_among_ids(query: &mut QueryBuilder<Db>, column: &str, ids: impl IntoIterator<Item = String>) {
    let ids = serde_json::Value::from_iter(ids).to_string();
    query.push(format_args!(" AND {column} IN (SELECT {}", among_ids!(open)));
    query.push_bind(ids).push(among_ids!(close));
}

fn beyond(direction: SortDirection) -> &'static str {
    match direction {
        SortDirection::Ascending => ">",
        SortDirection::Descending => "<",
    }
}

//! Tags of an instance in one column: each between commas, which no tag holds, so that `,tag,` is found
//! only where the tag is.

use std::collections::BTreeSet;

use sqlx::QueryBuilder;

use super::Db;

pub(super) fn column(tags: &BTreeSet<String>) -> String {
    match tags.is_empty() {
        true => String::new(),
        false => tags.iter().fold(",".to_owned(), |column, tag| column + tag + ","),
    }
}

pub(super) fn read(column: &str) -> BTreeSet<String> {
    column.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

/// ` AND …`: all of the tags are there, or at least one (`any`); or the opposite of that.
pub(super) fn push(sql: &mut QueryBuilder<Db>, tags: &[String], any: bool, negated: bool) {
    if tags.is_empty() {
        return;
    }
    sql.push(if negated { " AND NOT (" } else { " AND (" });
    for (position, tag) in tags.iter().enumerate() {
        if position > 0 {
            sql.push(if any { " OR " } else { " AND " });
        }
        // As LIKE ignores case in one of the two databases.
        sql.push("REPLACE(tags, ").push_bind(format!(",{tag},")).push(", '') <> tags");
    }
    sql.push(")");
}

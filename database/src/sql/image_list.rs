//! The one query that lists images.

use sqlx::QueryBuilder;

use super::images::{image_columns, tag_line};
use super::page::{self, Key};
use super::{Attempt, Db};
use crate::images::{ImageQuery, ImageSort};
use crate::instances::SortDirection;

/// What every order ends with.
const USUAL: [Key; 2] = [
    Key { expression: "created_at", direction: SortDirection::Descending },
    Key { expression: "id", direction: SortDirection::Descending },
];

pub(super) fn select(query: &ImageQuery) -> Attempt<QueryBuilder<Db>> {
    let mut sql = QueryBuilder::new(concat!("SELECT ", image_columns!(), " FROM images WHERE status <> 'deleted'"));
    if let Some(project) = query.visible_to {
        sql.push(" AND (project_id = ").push_bind(project.to_string()).push(" OR visibility = 'public')");
    }
    let mut equal = |column: &str, value: Option<String>| {
        if let Some(value) = value {
            sql.push(format_args!(" AND {column} = ")).push_bind(value);
        }
    };
    equal("visibility", query.visibility.map(|visibility| visibility.as_str().to_owned()));
    equal("project_id", query.owner.map(|id| id.to_string()));
    equal("name", query.name.clone());
    equal("status", query.status.map(|status| status.as_str().to_owned()));
    if let Some(ids) = &query.ids {
        page::push_among(&mut sql, "id", ids.iter().map(|id| id.to_string()));
    }
    for tag in &query.tags {
        sql.push(" AND REPLACE(tags, ").push_bind(tag_line(tag)?).push(", '') <> tags");
    }
    let asked = query.sort.iter().map(|(sort, direction)| Key { expression: expression(*sort), direction: *direction });
    let keys = page::order(asked, &USUAL);
    if let Some(marker) = query.marker {
        page::push_after(&mut sql, "images", &keys, &marker.to_string());
    }
    page::push_order(&mut sql, &keys, query.limit);
    Ok(sql)
}

/// Never null; what is not set comes before everything else.
fn expression(sort: ImageSort) -> &'static str {
    match sort {
        ImageSort::CreatedAt => "created_at",
        ImageSort::UpdatedAt => "updated_at",
        ImageSort::Name => "COALESCE(name, '')",
        ImageSort::Status => "status",
        ImageSort::Size => "COALESCE(size_bytes, -1)",
        ImageSort::Id => "id",
    }
}

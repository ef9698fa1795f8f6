//! The one query that lists images.

use cuttle_model::ids::ProjectId;
use cuttle_model::image::MemberStatus;
use sqlx::QueryBuilder;

use super::bind;
use super::images::{image_columns, property_line, tag_line};
use super::page::{self, Key};
use super::{Attempt, Db};
use crate::images::{Comparison, ImageQuery, ImageSort, Shared};
use crate::instances::SortDirection;

/// What every order ends with.
const USUAL: [Key; 2] = [
    Key { expression: "created_at", direction: SortDirection::Descending },
    Key { expression: "id", direction: SortDirection::Descending },
];

pub(super) fn select(query: &ImageQuery) -> Attempt<QueryBuilder<Db>> {
    let mut sql = QueryBuilder::new(concat!("SELECT ", image_columns!(), " FROM images WHERE status <> 'deleted'"));
    if let Some(project) = query.visible_to {
        sql.push(" AND (project_id = ").push_bind(project.to_string()).push(" OR visibility = 'public' OR ");
        push_shared(&mut sql, project, query.shared);
        sql.push(")");
    }
    let mut equal = |column: &str, value: Option<String>| {
        if let Some(value) = value {
            sql.push(format_args!(" AND {column} = ")).push_bind(value);
        }
    };
    equal("visibility", query.visibility.map(|visibility| visibility.as_str().to_owned()));
    equal("project_id", query.owner.map(|id| id.to_string()));
    equal("checksum", query.checksum.clone());
    equal("sha512", query.sha512.clone());
    let texts = |list: &Option<Vec<String>>| list.clone();
    let among = [
        ("name", texts(&query.names)),
        ("status", query.statuses.as_ref().map(|list| list.iter().map(|status| status.as_str().to_owned()).collect())),
        ("disk_format", texts(&query.disk_formats)),
        ("container_format", texts(&query.container_formats)),
    ];
    if let Some(ids) = &query.ids {
        page::push_among_ids(&mut sql, "id", ids.iter().map(|id| id.to_string()));
    }
    for (column, values) in among {
        if let Some(values) = values {
            page::push_among(&mut sql, column, values);
        }
    }
    push_numbers(&mut sql, query);
    for (key, value) in &query.properties {
        sql.push(" AND REPLACE(properties, ").push_bind(property_line(key, value)?).push(", '') <> properties");
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

/// What was shared with the project, and what it said to that. Other images of its own are in the list anyway.
fn push_shared(sql: &mut QueryBuilder<Db>, project: ProjectId, shared: Shared) {
    sql.push("(visibility = 'shared' AND id IN (SELECT image_id FROM image_members WHERE image_members.project_id = ");
    sql.push_bind(project.to_string());
    let status = match shared {
        Shared::Accepted => Some(MemberStatus::Accepted),
        Shared::With(status) => Some(status),
        Shared::Any => None,
    };
    if let Some(status) = status {
        sql.push(" AND image_members.status = ").push_bind(status.as_str());
    }
    sql.push("))");
}

fn push_numbers(sql: &mut QueryBuilder<Db>, query: &ImageQuery) {
    let flag = |flag: bool| i64::from(flag);
    let numbers = [
        ("hidden =", query.hidden.map(flag)),
        ("protected =", query.protected.map(flag)),
        ("min_disk_gib =", query.min_disk_gib.map(bind::limit)),
        ("min_ram_mib =", query.min_ram_mib.map(bind::limit)),
        ("size_bytes >=", query.size_min.map(bind::limit)),
        ("size_bytes <=", query.size_max.map(bind::limit)),
    ];
    for (condition, value) in numbers {
        if let Some(value) = value {
            sql.push(format_args!(" AND {condition} ")).push_bind(value);
        }
    }
    for (column, times) in [("created_at", &query.created), ("updated_at", &query.updated)] {
        for (comparison, time) in times {
            // Clients see seconds, so they compare seconds.
            sql.push(format_args!(" AND {column} / 1000000 {} ", sign(*comparison)));
            sql.push_bind(time.as_micros().div_euclid(1_000_000));
        }
    }
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::GreaterOrEqual => ">=",
        Comparison::Greater => ">",
    }
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
        ImageSort::MinDisk => "min_disk_gib",
        ImageSort::MinRam => "min_ram_mib",
        ImageSort::DiskFormat => "COALESCE(disk_format, '')",
        ImageSort::ContainerFormat => "COALESCE(container_format, '')",
    }
}

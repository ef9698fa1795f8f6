//! The one query that lists instances.

use cuttle_model::instance::StateName;
use sqlx::QueryBuilder;

use super::Db;
use super::instances::instance_columns;
use super::page::{self, Key};
use super::tags;
use crate::instances::{InstanceField, InstanceQuery, InstanceSort, SortDirection};

/// What every order ends with.
const USUAL: [Key; 2] = [
    Key { expression: "created_at", direction: SortDirection::Descending },
    Key { expression: "id", direction: SortDirection::Descending },
];

pub(super) fn select(query: &InstanceQuery) -> QueryBuilder<Db> {
    let mut sql = QueryBuilder::new(concat!("SELECT ", packed!(instance_columns!()), " FROM instances WHERE 1 = 1"));
    push_states(&mut sql, query);
    let mut equal = |column: &str, value: Option<String>| {
        if let Some(value) = value {
            sql.push(format_args!(" AND {column} = ")).push_bind(value);
        }
    };
    equal("project_id", query.project.map(|id| id.to_string()));
    equal("image_id", query.image.map(|id| id.to_string()));
    equal("flavor_id", query.flavor.as_ref().map(|id| id.to_string()));
    equal("host_id", query.host.map(|id| id.to_string()));
    for (field, value) in &query.equal {
        sql.push(format_args!(" AND {} = ", column(*field))).push_bind(value.clone());
    }
    if let Some(index) = query.launch_index {
        sql.push(" AND launch_index = ").push_bind(i64::from(index));
    }
    match query.is_locked {
        Some(true) => sql.push(" AND locked_by IS NOT NULL"),
        Some(false) => sql.push(" AND locked_by IS NULL"),
        None => &mut sql,
    };
    if let Some(text) = query.name_contains.as_ref().filter(|text| !text.is_empty()) {
        // LIKE ignores case in one of the two databases, and each has its own function for this.
        sql.push(" AND REPLACE(name, ").push_bind(text.clone()).push(", '') <> name");
    }
    if let Some(since) = query.changed_since {
        sql.push(" AND updated_at >= ").push_bind(since.as_micros());
    }
    if let Some((start, end)) = query.lived {
        sql.push(" AND launched_at <= ").push_bind(end.as_micros());
        sql.push(" AND (deleted_at IS NULL OR deleted_at > ").push_bind(start.as_micros()).push(")");
    }
    if let Some(before) = query.changed_before {
        sql.push(" AND updated_at <= ").push_bind(before.as_micros());
    }
    tags::push(&mut sql, &query.tags.all, false, false);
    tags::push(&mut sql, &query.tags.any, true, false);
    tags::push(&mut sql, &query.tags.not_all, false, true);
    tags::push(&mut sql, &query.tags.not_any, true, true);
    let asked = query.sort.iter().map(|(sort, direction)| Key { expression: expression(*sort), direction: *direction });
    let keys = page::order(asked, &USUAL);
    if let Some(marker) = query.marker {
        page::push_after(&mut sql, "instances", &keys, &marker.to_string());
    }
    page::push_order(&mut sql, &keys, query.limit);
    sql
}

fn push_states(sql: &mut QueryBuilder<Db>, query: &InstanceQuery) {
    let deleted_too = match query.states.as_slice() {
        [] => query.changed_since.is_some() || query.changed_before.is_some() || query.lived.is_some(),
        states => states.contains(&StateName::Deleted),
    };
    if !deleted_too {
        // As in the partial indexes.
        sql.push(" AND state <> 'deleted'");
    }
    if !query.states.is_empty() {
        page::push_among(sql, "state", query.states.iter().map(|state| state.as_str().to_owned()));
    }
}

/// Never null; what is not set comes before everything else.
fn expression(sort: InstanceSort) -> &'static str {
    match sort {
        InstanceSort::CreatedAt => "created_at",
        InstanceSort::UpdatedAt => "updated_at",
        InstanceSort::LaunchedAt => "COALESCE(launched_at, 0)",
        InstanceSort::Name => "name",
        InstanceSort::Id => "id",
        InstanceSort::State => "state",
        InstanceSort::Task => "COALESCE(task, '')",
        InstanceSort::Power => "power",
        InstanceSort::Host => "COALESCE(host_id, '')",
        InstanceSort::Image => "COALESCE(image_id, '')",
        InstanceSort::Flavor => "flavor_id",
        InstanceSort::KeyName => "COALESCE(key_name, '')",
        InstanceSort::AvailabilityZone => "COALESCE(availability_zone, '')",
        InstanceSort::Project => "project_id",
        InstanceSort::User => "user_id",
        InstanceSort::Description => "COALESCE(description, '')",
        InstanceSort::Hostname => "hostname",
        InstanceSort::DeletedAt => "COALESCE(deleted_at, 0)",
        InstanceSort::Locked => "CASE WHEN locked_by IS NULL THEN 0 ELSE 1 END",
        InstanceSort::LockedBy => "COALESCE(locked_by, '')",
        InstanceSort::LaunchIndex => "launch_index",
        InstanceSort::AccessIpv4 => "COALESCE(access_ipv4, '')",
        InstanceSort::AccessIpv6 => "COALESCE(access_ipv6, '')",
    }
}

fn column(field: InstanceField) -> &'static str {
    match field {
        InstanceField::Id => "id",
        InstanceField::User => "user_id",
        InstanceField::KeyName => "COALESCE(key_name, '')",
        InstanceField::AvailabilityZone => "COALESCE(availability_zone, '')",
        InstanceField::Reservation => "COALESCE(reservation_id, '')",
        InstanceField::Hostname => "hostname",
        InstanceField::Description => "COALESCE(description, '')",
        InstanceField::AccessIpv4 => "COALESCE(access_ipv4, '')",
        InstanceField::AccessIpv6 => "COALESCE(access_ipv6, '')",
        InstanceField::Task => "COALESCE(task, '')",
        InstanceField::Power => "power",
    }
}

//! What servers can be sorted by: Nova's `sort_key` words.

use cuttle_database::{InstanceSort, SortDirection};

use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::web::caller::Caller;
use crate::web::query::Pairs;

/// The order that is asked for; pairs of `sort_key` and `sort_dir`.
pub fn order(query: &Pairs, caller: &Caller, version: Microversion) -> Result<Vec<(InstanceSort, SortDirection)>, ApiError> {
    let keys: Vec<&str> = query.all("sort_key").collect();
    let directions: Vec<SortDirection> = query.all("sort_dir").map(direction).collect::<Result<_, _>>()?;
    if directions.len() > keys.len().max(1) {
        return Err(ApiError::BadRequest("Sort direction array size exceeds sort key array size.".into()));
    }
    if keys.is_empty() {
        return Ok(directions.first().map(|direction| (InstanceSort::CreatedAt, *direction)).into_iter().collect());
    }
    let default = directions.last().copied().unwrap_or(SortDirection::Descending);
    let mut order = Vec::new();
    for (index, key) in keys.into_iter().enumerate() {
        if let Some(sort) = key_of(key, caller, version)? {
            order.push((sort, directions.get(index).copied().unwrap_or(default)));
        }
    }
    Ok(order)
}

fn direction(word: &str) -> Result<SortDirection, ApiError> {
    match word {
        "asc" => Ok(SortDirection::Ascending),
        "desc" => Ok(SortDirection::Descending),
        other => Err(ApiError::invalid("sort_dir", other, "'asc' or 'desc' is expected.")),
    }
}

/// `None` for what is the same for all servers.
fn key_of(key: &str, caller: &Caller, version: Microversion) -> Result<Option<InstanceSort>, ApiError> {
    let sort = match key {
        "created_at" => InstanceSort::CreatedAt,
        "updated_at" => InstanceSort::UpdatedAt,
        "launched_at" => InstanceSort::LaunchedAt,
        "display_name" => InstanceSort::Name,
        "uuid" => InstanceSort::Id,
        "vm_state" => InstanceSort::State,
        "task_state" => InstanceSort::Task,
        "power_state" => InstanceSort::Power,
        "image_ref" => InstanceSort::Image,
        "instance_type_id" => InstanceSort::Flavor,
        "key_name" => InstanceSort::KeyName,
        "availability_zone" => InstanceSort::AvailabilityZone,
        "project_id" => InstanceSort::Project,
        "user_id" => InstanceSort::User,
        "host" | "node" if caller.is_admin() => InstanceSort::Host,
        "host" | "node" => return Err(ApiError::Forbidden(format!("Only administrators can sort servers by {key}"))),
        "display_description" => InstanceSort::Description,
        "hostname" => InstanceSort::Hostname,
        "terminated_at" => InstanceSort::DeletedAt,
        "locked_by" => InstanceSort::LockedBy,
        "launch_index" => InstanceSort::LaunchIndex,
        "access_ip_v4" => InstanceSort::AccessIpv4,
        "access_ip_v6" => InstanceSort::AccessIpv6,
        "locked" if version >= Microversion(73) => InstanceSort::Locked,
        "auto_disk_config" | "config_drive" | "kernel_id" | "progress" | "ramdisk_id" | "root_device_name" => return Ok(None),
        other => return Err(ApiError::invalid("sort_key", other, "Servers cannot be sorted by it.")),
    };
    Ok(Some(sort))
}

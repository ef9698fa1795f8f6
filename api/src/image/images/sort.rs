//! The order of a list: `sort=name:asc,status`, or pairs of `sort_key` and `sort_dir`.

use cuttle_database::{ImageSort, SortDirection};

use crate::error::ApiError;
use crate::web::query::Pairs;

/// The most keys of one order.
const MOST: usize = 8;

pub fn order(query: &Pairs) -> Result<Vec<(ImageSort, SortDirection)>, ApiError> {
    let order = match query.last("sort") {
        Some(list) => new_syntax(query, list)?,
        None => old_syntax(query)?,
    };
    match order.len() <= MOST {
        true => Ok(order),
        false => Err(ApiError::BadRequest(format!("At most {MOST} sort keys are taken."))),
    }
}

fn new_syntax(query: &Pairs, list: &str) -> Result<Vec<(ImageSort, SortDirection)>, ApiError> {
    if query.last("sort_key").is_some() || query.last("sort_dir").is_some() {
        return Err(ApiError::BadRequest("Old and new sorting syntax cannot be combined".into()));
    }
    let part = |part: &str| {
        let (key, word) = part.split_once(':').unwrap_or((part, "desc"));
        Ok((sort_key(key.trim())?, direction(word.trim())?))
    };
    list.split(',').map(part).collect()
}

fn old_syntax(query: &Pairs) -> Result<Vec<(ImageSort, SortDirection)>, ApiError> {
    let directions: Vec<SortDirection> = query.all("sort_dir").map(direction).collect::<Result<_, _>>()?;
    let keys: Vec<&str> = query.all("sort_key").collect();
    let keys = if keys.is_empty() && !directions.is_empty() { vec!["created_at"] } else { keys };
    if directions.len() > 1 && directions.len() != keys.len() {
        return Err(ApiError::BadRequest("Number of sort dirs does not match the number of sort keys".into()));
    }
    let default = directions.first().copied().unwrap_or(SortDirection::Descending);
    let pair = |(index, key): (usize, &str)| Ok((sort_key(key)?, directions.get(index).copied().unwrap_or(default)));
    keys.into_iter().enumerate().map(pair).collect()
}

fn sort_key(key: &str) -> Result<ImageSort, ApiError> {
    match key {
        "created_at" => Ok(ImageSort::CreatedAt),
        "updated_at" => Ok(ImageSort::UpdatedAt),
        "name" => Ok(ImageSort::Name),
        "status" => Ok(ImageSort::Status),
        "size" => Ok(ImageSort::Size),
        "id" => Ok(ImageSort::Id),
        "min_disk" => Ok(ImageSort::MinDisk),
        "min_ram" => Ok(ImageSort::MinRam),
        "disk_format" => Ok(ImageSort::DiskFormat),
        "container_format" => Ok(ImageSort::ContainerFormat),
        other => Err(ApiError::invalid("sort_key", short(other), "Images cannot be sorted by it.")),
    }
}

fn direction(word: &str) -> Result<SortDirection, ApiError> {
    match word {
        "asc" => Ok(SortDirection::Ascending),
        "desc" => Ok(SortDirection::Descending),
        other => Err(ApiError::invalid("sort_dir", short(other), "'asc' or 'desc' is expected.")),
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}

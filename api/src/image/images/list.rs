//! `GET /v2/images`: filters, order, pages.

use axum::Json;
use axum::extract::State;
use cuttle_database::{ImageQuery, ImageSort, SortDirection};
use cuttle_model::ids::ImageId;
use cuttle_model::image::{Image, ImageStatus, Visibility};
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::image::images::{sees, view};
use crate::shared::Shared;
use crate::web::caller::Caller;
use crate::web::query::{Pairs, boolean, encoded};

/// How many are listed where the client does not say: Glance's default.
const DEFAULT_LIMIT: u32 = 25;
const KEYS: [&str; 13] = [
    "limit",
    "marker",
    "sort",
    "sort_key",
    "sort_dir",
    "name",
    "status",
    "visibility",
    "owner",
    "tag",
    "id",
    "os_hidden",
    "member_status",
];
/// Statuses of Glance that images never have here.
const OTHER_STATUSES: [&str; 6] = ["uploading", "importing", "killed", "pending_delete", "deactivated", "deleted"];

pub async fn handle(State(shared): State<Shared>, caller: Caller, query: Pairs) -> Result<Json<Value>, ApiError> {
    let limit = query.limit(DEFAULT_LIMIT)?;
    let Some(mut wanted) = wanted(&caller, &query)? else { return Ok(Json(body(&query, &[], false))) };
    wanted.marker = marker(&shared, &caller, &query).await?;
    wanted.limit = Some(limit + 1);
    let mut images = shared.database.list_images(&wanted).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = images.len() > limit;
    images.truncate(limit);
    Ok(Json(body(&query, &images, has_more)))
}

fn body(query: &Pairs, images: &[Image], has_more: bool) -> Value {
    let mut body = Map::new();
    body.insert("images".into(), images.iter().map(view::image).collect());
    let pairs = query.keys().filter(|key| *key != "marker");
    let pairs: Vec<String> = pairs.map(|key| format!("{}={}", encoded(key), encoded(query.last(key).unwrap_or("")))).collect();
    let first = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
    body.insert("first".into(), json!(format!("/v2/images{first}")));
    body.insert("schema".into(), json!("/v2/schemas/images"));
    if let Some(last) = images.last().filter(|_| has_more) {
        body.insert("next".into(), json!(format!("/v2/images?{}", query.with_marker(&last.id.to_string()))));
    }
    Value::Object(body)
}

/// The filters; `None` if nothing can match.
fn wanted(caller: &Caller, query: &Pairs) -> Result<Option<ImageQuery>, ApiError> {
    if let Some(key) = query.keys().find(|key| !KEYS.contains(key)) {
        return Err(ApiError::not_yet(key, query.last(key).unwrap_or("")));
    }
    let visibility = visibility(query)?;
    let everybody = caller.is_admin() || visibility == Some(Visibility::Community);
    let name = query.last("name");
    if let Some(name) = name.filter(|name| name.starts_with("in:")) {
        return Err(ApiError::not_yet("name", name));
    }
    let mut wanted = ImageQuery {
        visible_to: if everybody { None } else { Some(caller.project_id()?) },
        visibility,
        name: name.map(str::to_owned),
        tags: query.all("tag").map(str::to_owned).collect(),
        sort: order(query)?,
        ..ImageQuery::default()
    };
    if query.last("os_hidden").and_then(boolean) == Some(true) {
        return Ok(None);
    }
    match query.last("status") {
        None => {}
        Some(word) if OTHER_STATUSES.contains(&word) => return Ok(None),
        Some(word) => {
            let status =
                ImageStatus::from_word(word).ok_or_else(|| ApiError::invalid("status", word, "No image has such a status."))?;
            wanted.status = Some(status);
        }
    }
    if let Some(text) = query.last("owner") {
        let Ok(owner) = text.parse() else { return Ok(None) };
        wanted.owner = Some(owner);
    }
    if let Some(text) = query.last("id") {
        let list = text.strip_prefix("in:").unwrap_or(text);
        let ids: Vec<ImageId> = list.split(',').filter_map(|id| id.trim().trim_matches('"').parse().ok()).collect();
        if ids.is_empty() {
            return Ok(None);
        }
        wanted.ids = Some(ids);
    }
    Ok(Some(wanted))
}

fn visibility(query: &Pairs) -> Result<Option<Visibility>, ApiError> {
    match query.last("visibility") {
        None | Some("all") => Ok(None),
        Some(word) => {
            let found = Visibility::from_word(word);
            found.map(Some).ok_or_else(|| {
                ApiError::invalid("visibility", word, "'public', 'private', 'shared', 'community' or 'all' is expected.")
            })
        }
    }
}

/// `sort=name:asc,status` or pairs of `sort_key` and `sort_dir`.
fn order(query: &Pairs) -> Result<Vec<(ImageSort, SortDirection)>, ApiError> {
    if let Some(list) = query.last("sort") {
        if query.last("sort_key").is_some() || query.last("sort_dir").is_some() {
            return Err(ApiError::BadRequest("Old and new sorting syntax cannot be combined".into()));
        }
        let part = |part: &str| {
            let (key, word) = part.split_once(':').unwrap_or((part, "desc"));
            Ok((sort_key(key.trim())?, direction(word.trim())?))
        };
        return list.split(',').map(part).collect();
    }
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
        other => Err(ApiError::invalid("sort_key", other, "Images cannot be sorted by it.")),
    }
}

fn direction(word: &str) -> Result<SortDirection, ApiError> {
    match word {
        "asc" => Ok(SortDirection::Ascending),
        "desc" => Ok(SortDirection::Descending),
        other => Err(ApiError::invalid("sort_dir", other, "'asc' or 'desc' is expected.")),
    }
}

async fn marker(shared: &Shared, caller: &Caller, query: &Pairs) -> Result<Option<ImageId>, ApiError> {
    let Some(text) = query.last("marker") else { return Ok(None) };
    let unknown = || ApiError::invalid("marker", text.chars().take(64).collect::<String>(), "No such image.");
    let id: ImageId = text.parse().map_err(|_| unknown())?;
    match shared.database.get_image(id).await? {
        Some(image) if sees(caller, &image) => Ok(Some(id)),
        _ => Err(unknown()),
    }
}

//! `GET /v2/images`: by pages, with one query whatever is asked for.

use axum::Json;
use axum::extract::State;
use cuttle_model::ids::ImageId;
use cuttle_model::image::Image;
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::image::images::{self, filter, view};
use crate::shared::Shared;
use crate::web::caller::Caller;
use crate::web::query::Pairs;

/// How many are listed where the client does not say: Glance's default.
const DEFAULT_LIMIT: u32 = 25;

pub async fn handle(State(shared): State<Shared>, caller: Caller, query: Pairs) -> Result<Json<Value>, ApiError> {
    let limit = query.limit(DEFAULT_LIMIT)?;
    let Some(mut wanted) = filter::wanted(&caller, &query)? else { return Ok(Json(body(&query, &[], false))) };
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
    let first = query.without_marker();
    let mark = if first.is_empty() { "" } else { "?" };
    body.insert("first".into(), json!(format!("/v2/images{mark}{first}")));
    body.insert("schema".into(), json!("/v2/schemas/images"));
    if let Some(last) = images.last().filter(|_| has_more) {
        body.insert("next".into(), json!(format!("/v2/images?{}", query.with_marker(&last.id.to_string()))));
    }
    Value::Object(body)
}

async fn marker(shared: &Shared, caller: &Caller, query: &Pairs) -> Result<Option<ImageId>, ApiError> {
    let Some(text) = query.last("marker") else { return Ok(None) };
    let unknown = || ApiError::invalid("marker", text.chars().take(64).collect::<String>(), "No such image.");
    let id: ImageId = text.parse().map_err(|_| unknown())?;
    match images::find(shared, caller, id).await? {
        Some(_) => Ok(Some(id)),
        None => Err(unknown()),
    }
}

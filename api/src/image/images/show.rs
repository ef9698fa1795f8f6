//! `GET /v2/images/{id}`.

use axum::Json;
use axum::extract::State;
use cuttle_model::ids::ImageId;
use serde_json::Value;

use crate::error::ApiError;
use crate::image::images::{self, view};
use crate::shared::Shared;
use crate::web::caller::Caller;
use crate::web::path::PathId;

pub async fn handle(State(shared): State<Shared>, caller: Caller, PathId(id): PathId<ImageId>) -> Result<Json<Value>, ApiError> {
    Ok(Json(view::image(&images::get(&shared, &caller, id).await?)))
}

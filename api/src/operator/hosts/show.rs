//! `GET /hosts/{name}`.

use axum::Json;
use axum::extract::State;
use cuttle_database::Candidate;
use cuttle_model::host::HostName;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operator::hosts::view;
use crate::shared::Shared;
use crate::web::path::PathId;

pub async fn handle(State(shared): State<Shared>, PathId(name): PathId<HostName>) -> Result<Json<Value>, ApiError> {
    let found = find(&shared, &name).await?;
    Ok(Json(json!({ "host": view::host(&shared, &found) })))
}

/// The host with this name, or a 404 that names it.
pub async fn find(shared: &Shared, name: &HostName) -> Result<Candidate, ApiError> {
    let found = shared.database.find_host_with_usage(name).await?;
    found.ok_or_else(|| ApiError::NotFound(format!("Host '{name}' could not be found.")))
}

//! `GET /flavors/{id}/os-extra_specs`: read only, for now.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::compute::flavors;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::caller::Caller;
use crate::web::path::PathId;

pub async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    PathId(flavors::Id(id)): PathId<flavors::Id>,
) -> Result<Json<Value>, ApiError> {
    let flavor = flavors::get(&shared, &caller, &id).await?;
    Ok(Json(json!({ "extra_specs": flavor.extra_specs })))
}

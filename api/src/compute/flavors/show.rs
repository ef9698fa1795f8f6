//! `GET /flavors/{id}`.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::compute::flavors::{self, view};
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::caller::Caller;
use crate::web::path::PathId;

pub async fn handle(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    address: Address,
    PathId(flavors::Id(id)): PathId<flavors::Id>,
) -> Result<Json<Value>, ApiError> {
    let flavor = flavors::get(&shared, &caller, &id).await?;
    Ok(Json(json!({ "flavor": view::detail(&flavor, version, &address) })))
}

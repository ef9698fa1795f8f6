//! `GET /instances/{id}`: an instance, deleted or not, with the clients that may write to its disks.

use axum::Json;
use axum::extract::State;
use cuttle_model::ids::InstanceId;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operator::instances::view::{self, Names};
use crate::shared::Shared;
use crate::web::path::PathId;

pub async fn handle(State(shared): State<Shared>, PathId(id): PathId<InstanceId>) -> Result<Json<Value>, ApiError> {
    let instance = shared.database.get_instance(id).await?.ok_or_else(|| missing(id))?;
    let clients = shared.database.open_clients(id).await?;
    let names = Names::read(&shared).await?;
    Ok(Json(json!({ "instance": view::detail(&instance, &names, &clients) })))
}

pub fn missing(id: InstanceId) -> ApiError {
    ApiError::NotFound(format!("Instance '{id}' could not be found."))
}

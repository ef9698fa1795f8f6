//! `GET /operations/{id}`: an operation with its steps.

use axum::Json;
use axum::extract::State;
use cuttle_model::ids::OperationId;
use cuttle_model::operation::{Operation, StepRecord};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operator::operations;
use crate::shared::Shared;
use crate::web::path::PathId;

pub async fn handle(State(shared): State<Shared>, PathId(id): PathId<OperationId>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "operation": operations::shown(&shared, id).await? })))
}

/// The operation and its steps.
pub async fn find(shared: &Shared, id: OperationId) -> Result<Option<(Operation, Vec<StepRecord>)>, cuttle_database::Error> {
    let Some(operation) = shared.database.get_operation(id).await? else { return Ok(None) };
    let steps = shared.database.list_steps(&[id]).await?.into_iter().map(|(_, step)| step).collect();
    Ok(Some((operation, steps)))
}

pub fn missing(id: OperationId) -> ApiError {
    ApiError::NotFound(format!("Operation '{id}' could not be found."))
}

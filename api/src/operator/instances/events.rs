//! `GET /instances/{id}/events`: everything that was done to an instance, the newest first, with all
//! steps. Three queries, however much it is.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use cuttle_model::ids::{InstanceId, OperationId};
use cuttle_model::operation::{StepRecord, Subject};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operator::instances::show;
use crate::operator::operations::view;
use crate::shared::Shared;
use crate::web::path::PathId;

pub async fn handle(State(shared): State<Shared>, PathId(id): PathId<InstanceId>) -> Result<Json<Value>, ApiError> {
    shared.database.get_instance(id).await?.ok_or_else(|| show::missing(id))?;
    let operations = shared.database.list_operations(Subject::Instance(id)).await?;
    let ids: Vec<OperationId> = operations.iter().map(|operation| operation.id).collect();
    let mut steps: HashMap<OperationId, Vec<StepRecord>> = HashMap::new();
    for (id, step) in shared.database.list_steps(&ids).await? {
        steps.entry(id).or_default().push(step);
    }
    let shown: Vec<Value> =
        operations.iter().map(|operation| view::detail(operation, steps.get(&operation.id).map_or(&[], Vec::as_slice))).collect();
    Ok(Json(json!({ "operations": shown })))
}

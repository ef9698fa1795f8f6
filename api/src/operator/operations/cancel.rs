//! `POST /operations/{id}/cancel`: asks an operation to stop where it is and to undo. It ends by itself
//! a little later; `watch` shows how.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_model::ids::OperationId;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operator::operations::{show, view};
use crate::shared::Shared;
use crate::web::path::PathId;

pub async fn handle(
    State(shared): State<Shared>,
    PathId(id): PathId<OperationId>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let asked = shared.database.cancel_operation(id).await?;
    let (operation, steps) = show::find(&shared, id).await?.ok_or_else(|| show::missing(id))?;
    match asked {
        true => Ok((StatusCode::ACCEPTED, Json(json!({ "operation": view::detail(&operation, &steps) })))),
        false => Err(ApiError::Conflict(format!(
            "Cannot cancel an operation that is {}: only one that is running can be.",
            operation.status.as_str()
        ))),
    }
}

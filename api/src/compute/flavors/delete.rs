//! `DELETE /flavors/{id}`. Instances keep their copy of it.

use axum::extract::State;
use axum::http::StatusCode;

use crate::compute::flavors;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::path::PathId;

pub async fn handle(State(shared): State<Shared>, PathId(flavors::Id(id)): PathId<flavors::Id>) -> Result<StatusCode, ApiError> {
    match shared.database.delete_flavor(&id).await? {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(ApiError::NotFound(format!("Flavor {id} could not be found."))),
    }
}

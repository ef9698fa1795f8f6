//! `POST /v2/images/{id}/actions/…`: an image is not to be used for a while, and may be used again.

use axum::extract::State;
use axum::http::StatusCode;
use cuttle_model::ids::ImageId;
use cuttle_model::image::ImageStatus;

use crate::error::ApiError;
use crate::image::images;
use crate::shared::Shared;
use crate::web::caller::Caller;
use crate::web::path::PathId;

pub async fn deactivate(
    State(shared): State<Shared>,
    caller: Caller,
    PathId(id): PathId<ImageId>,
) -> Result<StatusCode, ApiError> {
    become_(&shared, &caller, id, ImageStatus::Deactivated, "deactivate").await
}

pub async fn reactivate(
    State(shared): State<Shared>,
    caller: Caller,
    PathId(id): PathId<ImageId>,
) -> Result<StatusCode, ApiError> {
    become_(&shared, &caller, id, ImageStatus::Active, "reactivate").await
}

async fn become_(shared: &Shared, caller: &Caller, id: ImageId, status: ImageStatus, verb: &str) -> Result<StatusCode, ApiError> {
    let change = images::change(shared, caller, id, |image| match image.status {
        ImageStatus::Active | ImageStatus::Deactivated => {
            image.status = status;
            Ok(())
        }
        other => Err(ApiError::Forbidden(format!("Not allowed to {verb} image in status '{}'", other.as_str()))),
    });
    change.await.map(|_| StatusCode::NO_CONTENT)
}

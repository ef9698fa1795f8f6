//! `DELETE /v2/images/{id}`: into the trash; instances that were cloned from it live on.

use axum::extract::State;
use axum::http::StatusCode;
use cuttle_model::ids::ImageId;

use crate::error::ApiError;
use crate::image::images;
use crate::shared::Controlled;
use crate::web::caller::Caller;
use crate::web::path::PathId;

pub async fn handle(
    State(state): State<Controlled>,
    caller: Caller,
    PathId(id): PathId<ImageId>,
) -> Result<StatusCode, ApiError> {
    let image = images::get_own(&state.shared, &caller, id).await?;
    if image.protected {
        return Err(ApiError::Forbidden(format!("Image {id} is protected and cannot be deleted.")));
    }
    cuttle_operations::image::delete(&state.control, &caller.requester()?, image).await?;
    Ok(StatusCode::NO_CONTENT)
}

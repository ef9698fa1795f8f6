//! `PUT` and `DELETE /v2/images/{id}/tags/{tag}`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use cuttle_model::ids::ImageId;

use crate::error::ApiError;
use crate::image::images::{self, fields};
use crate::shared::Shared;
use crate::web::caller::Caller;

const LONGEST: usize = 255;

pub async fn add(
    State(shared): State<Shared>,
    caller: Caller,
    Path((id, tag)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let id = image_id(&id)?;
    if tag.chars().count() > LONGEST || tag.contains('\0') {
        let shown: String = tag.chars().filter(|character| !character.is_control()).take(64).collect();
        return Err(ApiError::invalid("tag", shown, format_args!("At most {LONGEST} characters, none of them null, are taken.")));
    }
    let add = images::change(&shared, &caller, id, |image| {
        if let Err(place) = image.tags.binary_search(&tag) {
            if image.tags.len() >= fields::MOST_PROPERTIES {
                return Err(ApiError::BadRequest(format!("At most {} tags are allowed.", fields::MOST_PROPERTIES)));
            }
            image.tags.insert(place, tag.clone());
        }
        Ok(())
    });
    add.await.map(|_| StatusCode::NO_CONTENT)
}

pub async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    Path((id, tag)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let id = image_id(&id)?;
    let remove = images::change(&shared, &caller, id, |image| match image.tags.iter().position(|found| *found == tag) {
        Some(place) => {
            image.tags.remove(place);
            Ok(())
        }
        None => Err(ApiError::NotFound(format!("Image {id} has no such tag."))),
    });
    remove.await.map(|_| StatusCode::NO_CONTENT)
}

/// A malformed id names nothing that exists.
pub(super) fn image_id(text: &str) -> Result<ImageId, ApiError> {
    text.parse().map_err(|_| ApiError::NotFound("The image could not be found.".into()))
}

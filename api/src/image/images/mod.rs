//! Images: who may see and change one.

pub mod actions;
pub mod create;
pub mod delete;
pub mod download;
pub mod fields;
pub mod filter;
pub mod list;
pub mod members;
pub mod patch;
pub mod show;
pub mod sort;
pub mod tags;
pub mod update;
pub mod upload;
pub mod view;

use cuttle_database::Written;
use cuttle_model::ids::ImageId;
use cuttle_model::image::Image;

use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::caller::Caller;

/// How often a change is made again because others changed the image at the same time.
const ATTEMPTS: usize = 10;

/// The image, if it exists for the caller.
pub async fn find(shared: &Shared, caller: &Caller, id: ImageId) -> Result<Option<Image>, ApiError> {
    match caller.is_admin() {
        true => Ok(shared.database.get_image(id).await?),
        false => Ok(shared.database.get_image_for(id, caller.project_id()?).await?),
    }
}

/// As [`find`]; it is not found where it does not exist for the caller.
pub async fn get(shared: &Shared, caller: &Caller, id: ImageId) -> Result<Image, ApiError> {
    find(shared, caller, id).await?.ok_or_else(|| missing(id))
}

/// The image, if the caller may change it: its project, or an administrator.
pub async fn get_own(shared: &Shared, caller: &Caller, id: ImageId) -> Result<Image, ApiError> {
    let image = get(shared, caller, id).await?;
    match caller.may_see(image.project_id) {
        true => Ok(image),
        false => Err(ApiError::Forbidden(format!("You are not permitted to change image {id}."))),
    }
}

/// Changes an image that the caller may change. Where others change it at the same time, the change is made again on what they
/// left, so that it is checked against that.
pub async fn change(
    shared: &Shared,
    caller: &Caller,
    id: ImageId,
    change: impl Fn(&mut Image) -> Result<(), ApiError>,
) -> Result<Image, ApiError> {
    for _ in 0..ATTEMPTS {
        let present = get_own(shared, caller, id).await?;
        let mut image = present.clone();
        change(&mut image)?;
        if image == present {
            return Ok(image);
        }
        image.updated_at = shared.now();
        if shared.database.update_image(&image, None).await? == Written::Done {
            return Ok(image);
        }
    }
    Err(ApiError::Conflict(format!("Image {id} is being changed by others.")))
}

fn missing(id: ImageId) -> ApiError {
    ApiError::NotFound(format!("No image found with ID {id}"))
}

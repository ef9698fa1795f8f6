//! Images: who may see and change one.

pub mod create;
pub mod delete;
pub mod list;
pub mod show;
pub mod upload;
pub mod view;

use cuttle_model::ids::ImageId;
use cuttle_model::image::Image;

use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::caller::Caller;

/// The image, if it exists for the caller.
pub async fn get(shared: &Shared, caller: &Caller, id: ImageId) -> Result<Image, ApiError> {
    let image = shared.database.get_image(id).await?;
    image.filter(|image| sees(caller, image)).ok_or_else(|| ApiError::NotFound(format!("No image found with ID {id}")))
}

/// The image, if the caller may change it: its project, or an administrator.
pub async fn get_own(shared: &Shared, caller: &Caller, id: ImageId) -> Result<Image, ApiError> {
    let image = get(shared, caller, id).await?;
    match caller.may_see(image.project_id) {
        true => Ok(image),
        false => Err(ApiError::Forbidden(format!("You are not permitted to change image {id}."))),
    }
}

fn sees(caller: &Caller, image: &Image) -> bool {
    caller.is_admin() || caller.project_id().is_ok_and(|project| image.is_visible_to(project))
}

//! Images.

use async_trait::async_trait;
use cuttle_model::ids::{ImageId, ProjectId};
use cuttle_model::image::{Image, ImageStatus, Visibility};

use crate::Result;
use crate::flavors::Inserted;
use crate::instances::SortDirection;
use crate::operations::{LeaseGuard, Written};

/// What is known of images.
#[async_trait]
pub trait Images {
    async fn insert_image(&self, image: &Image) -> Result<Inserted>;

    /// The image; not one that is deleted.
    async fn get_image(&self, id: ImageId) -> Result<Option<Image>>;

    /// Is this the id of an image that was deleted? Not if there never was such an image: whoever
    /// destroys data asks this, and not whether an image is found.
    async fn is_deleted_image(&self, id: ImageId) -> Result<bool>;

    /// Those that match; one query.
    async fn list_images(&self, query: &ImageQuery) -> Result<Vec<Image>>;

    /// Writes all columns of `image` if its row still has `image.generation`, and counts that up.
    /// With a guard also only if the lease is still held.
    async fn update_image(&self, image: &Image, guard: Option<&LeaseGuard>) -> Result<Written>;
}

/// Which images.
#[derive(Debug, Clone, Default)]
pub struct ImageQuery {
    /// Those that this project may list: its own, and public ones.
    pub visible_to: Option<ProjectId>,
    pub visibility: Option<Visibility>,
    pub owner: Option<ProjectId>,
    /// Exactly this name.
    pub name: Option<String>,
    pub status: Option<ImageStatus>,
    pub ids: Option<Vec<ImageId>>,
    pub tags: Vec<String>,
    /// `created_at` (the default, descending), `updated_at`, `name`, `status`, `size` or `id`.
    pub sort: Vec<(ImageSort, SortDirection)>,
    pub marker: Option<ImageId>,
    pub limit: Option<u32>,
}

/// What images can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageSort {
    CreatedAt,
    UpdatedAt,
    Name,
    Status,
    Size,
    Id,
}

//! Images.

use async_trait::async_trait;
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::{ImageId, ProjectId};
use cuttle_model::image::{Image, ImageMember, ImageStatus, MemberStatus, Visibility};

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

    /// As [`Self::get_image`], if `project` may use it: its own, a public or community one, or one that was shared with it,
    /// whatever it said to that.
    async fn get_image_for(&self, id: ImageId, project: ProjectId) -> Result<Option<Image>>;

    /// Is this the id of an image that was deleted? Not if there never was such an image: whoever
    /// destroys data asks this, and not whether an image is found.
    async fn is_deleted_image(&self, id: ImageId) -> Result<bool>;

    /// Those that match; one query.
    async fn list_images(&self, query: &ImageQuery) -> Result<Vec<Image>>;

    /// Writes all columns of `image` if its row still has `image.generation`, and counts that up.
    /// With a guard also only if the lease is still held.
    async fn update_image(&self, image: &Image, guard: Option<&LeaseGuard>) -> Result<Written>;

    /// Shares an image, if it is not shared with that project yet.
    async fn insert_image_member(&self, member: &ImageMember) -> Result<Inserted>;

    /// Whom an image is shared with, the first first.
    async fn list_image_members(&self, image: ImageId) -> Result<Vec<ImageMember>>;

    async fn get_image_member(&self, image: ImageId, project: ProjectId) -> Result<Option<ImageMember>>;

    /// Writes the member's status and time of change; false if there is no such member.
    async fn update_image_member(&self, member: &ImageMember) -> Result<bool>;

    /// Ends the sharing; false if there is no such member.
    async fn delete_image_member(&self, image: ImageId, project: ProjectId) -> Result<bool>;
}

/// Which images.
#[derive(Debug, Clone, Default)]
pub struct ImageQuery {
    /// Those that this project may list: its own, public ones, and those that were shared with it.
    pub visible_to: Option<ProjectId>,
    /// Of those that were shared: which.
    pub shared: Shared,
    pub visibility: Option<Visibility>,
    pub owner: Option<ProjectId>,
    /// Hidden ones, or those that are not.
    pub hidden: Option<bool>,
    pub protected: Option<bool>,
    /// One of these, exactly.
    pub names: Option<Vec<String>>,
    pub statuses: Option<Vec<ImageStatus>>,
    pub ids: Option<Vec<ImageId>>,
    pub disk_formats: Option<Vec<String>>,
    pub container_formats: Option<Vec<String>>,
    pub checksum: Option<String>,
    pub sha512: Option<String>,
    /// These numbers exactly.
    pub min_disk_gib: Option<u64>,
    pub min_ram_mib: Option<u64>,
    /// Bytes that were uploaded, from and to.
    pub size_min: Option<u64>,
    pub size_max: Option<u64>,
    /// To the second.
    pub created: Vec<(Comparison, Timestamp)>,
    pub updated: Vec<(Comparison, Timestamp)>,
    /// All of these.
    pub tags: Vec<String>,
    /// All of these, with these values.
    pub properties: Vec<(String, String)>,
    /// `created_at` (the default, descending), `updated_at`, `name`, `status`, and so on.
    pub sort: Vec<(ImageSort, SortDirection)>,
    pub marker: Option<ImageId>,
    pub limit: Option<u32>,
}

/// Which of the images that were shared with a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shared {
    /// Those that it accepted.
    #[default]
    Accepted,
    With(MemberStatus),
    Any,
}

/// How a time is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
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
    MinDisk,
    MinRam,
    DiskFormat,
    ContainerFormat,
}

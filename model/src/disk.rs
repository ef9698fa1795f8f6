//! Disks and where they live in Ceph. Names are Nova's, so that a Nova cloud's disks can be adopted.

use serde::{Deserialize, Serialize};

use crate::ids::{ImageId, InstanceId};

/// What a disk is to its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskRole {
    /// The disk that the guest boots from.
    Root,
}

impl DiskRole {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            DiskRole::Root => "root",
        }
    }
}

/// A disk of an instance: an RBD image. `image_id` is RBD's own id, which a rename does not change;
/// the name is where it should be found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// What it is to the instance.
    pub role: DiskRole,
    /// The Ceph pool.
    pub pool: String,
    /// The RBD image's name.
    pub name: String,
    /// RBD's id of the image.
    pub image_id: String,
    /// Its size.
    pub size_bytes: u64,
}

/// The name of an instance's root disk.
pub fn root_disk_name(instance: InstanceId) -> String {
    format!("{instance}_disk")
}

/// The name of an image's RBD image.
pub fn image_name(image: ImageId) -> String {
    image.to_string()
}

/// The protected snapshot from which instances are cloned.
pub const IMAGE_SNAPSHOT: &str = "snap";

/// Keys of the metadata that names an RBD image's owner, so that an orphan can be told from a disk in use.
pub mod owner {
    /// The instance that a disk belongs to.
    pub const INSTANCE: &str = "cuttle.instance";
    /// The image that an RBD image holds.
    pub const IMAGE: &str = "cuttle.image";
    /// The project that owns it.
    pub const PROJECT: &str = "cuttle.project";
    /// The operation that made it.
    pub const OPERATION: &str = "cuttle.operation";
}

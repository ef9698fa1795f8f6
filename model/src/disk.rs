//! Disks and where they live in Ceph. Names are Nova's, so that a Nova cloud's disks can be adopted.

use serde::{Deserialize, Serialize};

use crate::ids::{ImageId, InstanceId};

/// What a disk is to its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskRole {
    /// The disk that the guest boots from.
    Root,
    /// The flavor's ephemeral disk: empty, with a file system. It ends with its instance.
    Ephemeral,
    /// The flavor's swap disk.
    Swap,
    /// The config drive: who the guest is, read-only.
    Config,
}

impl DiskRole {
    /// All of them, in the order in which a guest sees them.
    pub const ALL: [Self; 4] = [Self::Root, Self::Ephemeral, Self::Swap, Self::Config];

    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Ephemeral => "ephemeral",
            Self::Swap => "swap",
            Self::Config => "config",
        }
    }

    /// What follows the instance's id in the RBD image's name.
    fn suffix(self) -> &'static str {
        match self {
            Self::Root => "_disk",
            Self::Ephemeral => "_disk.eph0",
            Self::Swap => "_disk.swap",
            Self::Config => "_disk.config",
        }
    }

    /// What the guest sees as the disk's serial number begins with this; the instance's id follows.
    pub fn serial_prefix(self) -> &'static str {
        match self {
            Self::Root => "",
            Self::Ephemeral => "eph0-",
            Self::Swap => "swap-",
            Self::Config => "config-",
        }
    }

    /// May the guest write to it?
    pub fn is_writable(self) -> bool {
        self != Self::Config
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
    disk_name(instance, DiskRole::Root)
}

/// The name of an instance's disk of this role.
pub fn disk_name(instance: InstanceId, role: DiskRole) -> String {
    format!("{instance}{}", role.suffix())
}

/// The name of a root disk that was made larger, while the instance goes back to the smaller one.
pub fn larger_disk_name(instance: InstanceId) -> String {
    format!("{}.larger", root_disk_name(instance))
}

/// The snapshot that keeps a root disk as it was before it was made larger.
pub const RESIZE_SNAPSHOT: &str = "before-resize";

/// Whose disk has this name, and what it is to the instance; `None` for a name that is no disk's.
pub fn disk_of_name(name: &str) -> Option<(InstanceId, DiskRole)> {
    let (instance, _) = name.split_once("_disk")?;
    let instance: InstanceId = instance.parse().ok()?;
    let role = DiskRole::ALL.into_iter().find(|role| disk_name(instance, *role) == name)?;
    Some((instance, role))
}

/// Whose disk has this name, also one that was set aside by a resize.
pub fn disk_owner_of_name(name: &str) -> Option<InstanceId> {
    let (instance, _) = name.split_once("_disk")?;
    let instance = instance.parse().ok()?;
    (name == larger_disk_name(instance)).then_some(instance).or_else(|| Some(disk_of_name(name)?.0))
}

/// The name of an image's RBD image.
pub fn image_name(image: ImageId) -> String {
    image.to_string()
}

/// The name of the RBD image that holds an upload until it was converted.
pub fn upload_name(image: ImageId) -> String {
    format!("{image}{UPLOAD_SUFFIX}")
}

/// What the names of uploads end with.
pub const UPLOAD_SUFFIX: &str = "_upload";

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
    /// The image holds all that it was made for.
    pub const COMPLETE: &str = "cuttle.complete";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_novas_and_are_read_back() {
        let id: InstanceId = "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b".parse().unwrap();
        let names = DiskRole::ALL.map(|role| disk_name(id, role));
        let expected = ["_disk", "_disk.eph0", "_disk.swap", "_disk.config"].map(|suffix| format!("{id}{suffix}"));
        assert_eq!(names, expected);
        for role in DiskRole::ALL {
            assert_eq!(disk_of_name(&disk_name(id, role)), Some((id, role)));
            assert_eq!(disk_owner_of_name(&disk_name(id, role)), Some(id));
        }
        assert_eq!(disk_owner_of_name(&larger_disk_name(id)), Some(id));
        for other in ["", "x_disk", &format!("{id}"), &format!("{id}_disk.eph1"), &format!("{id}_disk_disk")] {
            assert_eq!(disk_of_name(other), None, "{other}");
            assert_eq!(disk_owner_of_name(other), None, "{other}");
        }
    }
}

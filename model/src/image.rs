//! An image: what instances are cloned from. Always raw in Ceph.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{ImageId, ProjectId};

/// An image.
///
/// Size and MD5 are of what was uploaded, in the format that it had; what is in Ceph is the disk, and so is the SHA-512.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    pub id: ImageId,
    /// Who made it.
    pub project_id: ProjectId,
    pub name: Option<String>,
    pub status: ImageStatus,
    pub visibility: Visibility,
    /// Refuses deletion.
    pub protected: bool,
    /// The format that was uploaded; in Ceph it is raw.
    pub disk_format: Option<String>,
    pub container_format: Option<String>,
    /// Least root disk, in GiB.
    pub min_disk_gib: u64,
    /// Least memory, in MiB.
    pub min_ram_mib: u64,
    /// Bytes that were uploaded.
    pub size_bytes: Option<u64>,
    /// The size of the RBD image.
    pub virtual_size_bytes: Option<u64>,
    /// MD5 of what was uploaded, in hex.
    pub checksum: Option<String>,
    /// SHA-512 of the disk, in hex: of what was uploaded where that was raw.
    pub sha512: Option<String>,
    /// Lists leave it out where nobody asks for it.
    pub hidden: bool,
    /// Why the last upload did not become the image's data.
    pub failure: Option<String>,
    pub tags: Vec<String>,
    /// Everything else that a client set, such as `hw_disk_bus`.
    pub properties: BTreeMap<String, String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Changes by one at each write; a write names the one that it read.
    pub generation: i64,
}

/// Where an image is in its life.
///
/// ```text
/// Queued ──► Saving ──► Active ──► Deleted
///   ▲           │         │ ▲
///   └───────────┘         ▼ │
///   upload failed     Deactivated
/// ```
/// Each of them can be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageStatus {
    /// Known by name, without data.
    Queued,
    /// Data is coming in.
    Saving,
    /// Instances can be made from it.
    Active,
    /// Not to be used for the time being.
    Deactivated,
    /// Gone for users; its RBD image is in the trash.
    Deleted,
}

impl ImageStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Saving, Self::Active, Self::Deactivated, Self::Deleted];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Saving => "saving",
            Self::Active => "active",
            Self::Deactivated => "deactivated",
            Self::Deleted => "deleted",
        }
    }

    /// The status of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// Who sees an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody.
    Public,
    /// The project that owns it.
    Private,
    /// The owner and the projects that it was shared with.
    Shared,
    /// Everybody who knows its id.
    Community,
}

impl Visibility {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Public, Self::Private, Self::Shared, Self::Community];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::Community => "community",
        }
    }

    /// The visibility of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|visibility| visibility.as_str() == word)
    }
}

/// A project that an image was shared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageMember {
    pub image_id: ImageId,
    pub project_id: ProjectId,
    pub status: MemberStatus,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a project said to an image that was shared with it. It may use the image in any case; lists show what was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberStatus {
    Pending,
    Accepted,
    Rejected,
}

impl MemberStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Accepted, Self::Rejected];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }

    /// The status of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

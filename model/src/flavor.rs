//! A flavor: a named size of instance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::disk::DiskRole;

/// A flavor's id: any short text, as in Nova (`1`, `m1.small`, a UUID).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlavorId(pub String);

impl std::fmt::Display for FlavorId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A flavor. An instance keeps a copy of the one that it was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flavor {
    /// What users ask for it by.
    pub id: FlavorId,
    /// Unique.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    pub ram_mib: u64,
    /// Root disk in GiB; 0 means as large as the image.
    pub disk_gib: u64,
    /// Ephemeral disk in GiB.
    pub ephemeral_gib: u64,
    /// Swap disk in MiB.
    pub swap_mib: u64,
    /// Everybody may use it.
    pub is_public: bool,
    /// Nobody may use it for new instances.
    pub is_disabled: bool,
    /// Scheduling and tuning hints.
    pub extra_specs: BTreeMap<String, String>,
}

impl Flavor {
    /// The size of the root disk of an instance made from an image of `image_bytes`, in bytes.
    /// `None` if the image does not fit.
    pub fn root_disk_bytes(&self, image_bytes: u64) -> Option<u64> {
        match self.disk_gib {
            0 => Some(image_bytes),
            gib => Some(gib.saturating_mul(GIB)).filter(|size| *size >= image_bytes),
        }
    }

    /// The disks that an instance has beside its root disk, with their sizes in bytes, in the order in
    /// which the guest sees them.
    pub fn extra_disks(&self) -> Vec<(DiskRole, u64)> {
        let ephemeral = (DiskRole::Ephemeral, self.ephemeral_gib.saturating_mul(GIB));
        let swap = (DiskRole::Swap, self.swap_mib.saturating_mul(MIB));
        [ephemeral, swap].into_iter().filter(|(_, size)| *size > 0).collect()
    }
}

/// Bytes in a GiB.
pub const GIB: u64 = 1 << 30;
/// Bytes in a MiB.
pub const MIB: u64 = 1 << 20;

//! An instance: what is intended for it, and what is known of it.
//!
//! The state is what the instance has settled in; the task is what is being done to it. They are
//! separate because an operation that cannot finish leaves the state as it was.
//!
//! ```text
//!              create            stop
//! Building ──────────► Active ◄────────► Stopped      Active ◄──── pause, unpause ────► Paused
//!     │                  │     start        │
//!     │ no host, failed  │ delete           │ delete  Active, Stopped ──── resize, migrate ────► Resized
//!     ▼                  ▼                  ▼                     ◄──── confirm, revert ─────
//!   Error ───────────► Deleted ◄────────────┘
//! ```
//!
//! Always true: `generation` grows with each write, and a write names the generation that it read.
//! `epoch` grows before each start; a guest runs only in the newest one. `running_allowed` is an
//! epoch for which every client that may write was recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::disk::Disk;
use crate::fault::Fault;
use crate::flavor::Flavor;
use crate::ids::{Epoch, HostId, ImageId, InstanceId, ProjectId, UserId};
use crate::keypair::PublicKey;

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub id: InstanceId,
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub name: String,
    pub description: Option<String>,
    /// The guest's host name.
    pub hostname: String,
    /// The flavor as it was when the instance was made.
    pub flavor: Flavor,
    pub image_id: Option<ImageId>,
    pub state: InstanceState,
    /// What is being done to it now.
    pub task: Option<Task>,
    /// What the host last said of the guest.
    pub power: PowerState,
    /// Where it runs, or will when it is started.
    pub host_id: Option<HostId>,
    /// The newest epoch.
    pub epoch: Epoch,
    /// The epoch in which its guest may run, once that was granted.
    pub running_allowed: Option<Epoch>,
    /// The root disk, once it was made.
    pub root_disk: Option<Disk>,
    /// Its other disks that were made, in the order in which the guest sees them.
    pub extra_disks: Vec<Disk>,
    /// It has, or is to have, a config drive.
    pub config_drive: bool,
    /// What the user attached to it by key.
    pub metadata: BTreeMap<String, String>,
    /// The keypair's name.
    pub key_name: Option<String>,
    /// The key of that name as it was when the instance was made.
    pub public_key: Option<PublicKey>,
    /// Short words by which users find it.
    pub tags: BTreeSet<String>,
    /// While it is there, only whoever may open it changes the instance.
    pub lock: Option<Lock>,
    /// The request that it was made by, `r-…`; several may have been.
    pub reservation_id: Option<String>,
    /// Which of these it is, from 0.
    pub launch_index: u32,
    /// Addresses that its owner has noted; nothing follows from them.
    pub access_ipv4: Option<Ipv4Addr>,
    pub access_ipv6: Option<Ipv6Addr>,
    pub availability_zone: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// When its guest first ran.
    pub launched_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    /// Changes by one at each write.
    pub generation: i64,
}

/// Keeps an instance from being changed by mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    pub by: LockedBy,
    /// In words.
    pub reason: Option<String>,
}

/// Who has locked an instance. Administrators open every lock, owners only their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockedBy {
    Owner,
    Admin,
}

impl LockedBy {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Owner, Self::Admin];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
        }
    }

    /// Who is meant by that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == word)
    }
}

impl Instance {
    /// All its disks, in the order in which the guest sees them.
    pub fn disks(&self) -> impl Iterator<Item = &Disk> {
        self.root_disk.iter().chain(&self.extra_disks)
    }
}

/// What an instance has settled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum InstanceState {
    /// It never ran yet.
    Building,
    /// Its guest is meant to run.
    Active,
    /// Its guest is there, and is meant to stand still.
    Paused,
    /// Its guest is meant not to run.
    Stopped,
    /// It was moved to another host or given another flavor, and nobody has said yet whether that is to stay.
    Resized {
        /// What to go back to.
        before: Box<BeforeResize>,
    },
    /// Something failed and could not be undone, or there was no host for it.
    Error {
        /// Why.
        fault: Fault,
    },
    /// Gone for users. The row stays for a while, for the record.
    Deleted,
}

/// An instance as it was before it was moved or given another flavor: what a revert goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeforeResize {
    /// Where it was. Its room there stays claimed.
    pub host_id: HostId,
    pub flavor: Flavor,
    /// Its guest was meant to run.
    pub ran: bool,
    /// The root disk, where it was made larger; nothing where it is the same.
    pub disk: Option<DiskBefore>,
    /// When it was moved: one that nobody confirms may be confirmed after a time.
    pub moved_at: Timestamp,
}

/// A root disk as it was before it was made larger: a snapshot, so that going back copies nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskBefore {
    pub size_bytes: u64,
    /// The snapshot's name.
    pub snapshot: String,
}

impl InstanceState {
    /// Should its guest have a process? What that says of itself is then followed.
    pub fn has_guest(&self) -> bool {
        match self {
            Self::Active | Self::Paused | Self::Resized { .. } => true,
            Self::Building | Self::Stopped | Self::Error { .. } | Self::Deleted => false,
        }
    }

    /// The name in the database.
    pub fn name(&self) -> StateName {
        match self {
            Self::Building => StateName::Building,
            Self::Active => StateName::Active,
            Self::Paused => StateName::Paused,
            Self::Stopped => StateName::Stopped,
            Self::Resized { .. } => StateName::Resized,
            Self::Error { .. } => StateName::Error,
            Self::Deleted => StateName::Deleted,
        }
    }
}

/// An [`InstanceState`] without its data: for queries and tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    Building,
    Active,
    Paused,
    Stopped,
    Resized,
    Error,
    Deleted,
}

impl StateName {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Building, Self::Active, Self::Paused, Self::Stopped, Self::Resized, Self::Error, Self::Deleted];

    /// The word in the database and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Resized => "resized",
            Self::Error => "error",
            Self::Deleted => "deleted",
        }
    }
}

/// What is being done to an instance: one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Create: its disk is being made.
    MakingDisk,
    /// Create: its guest is being started.
    Spawning,
    Deleting,
    Starting,
    Stopping,
    /// Its guest is asked to shut down, and is run again.
    Rebooting,
    /// Its guest is ended at once, and is run again.
    RebootingHard,
    Pausing,
    Unpausing,
    /// It is being moved to another host, or given another flavor.
    Resizing,
    /// What was kept for going back is being removed.
    ConfirmingResize,
    /// It goes back to where and what it was.
    RevertingResize,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::MakingDisk,
        Self::Spawning,
        Self::Deleting,
        Self::Starting,
        Self::Stopping,
        Self::Rebooting,
        Self::RebootingHard,
        Self::Pausing,
        Self::Unpausing,
        Self::Resizing,
        Self::ConfirmingResize,
        Self::RevertingResize,
    ];

    /// The word in the database and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MakingDisk => "making_disk",
            Self::Spawning => "spawning",
            Self::Deleting => "deleting",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Rebooting => "rebooting",
            Self::RebootingHard => "rebooting_hard",
            Self::Pausing => "pausing",
            Self::Unpausing => "unpausing",
            Self::Resizing => "resizing",
            Self::ConfirmingResize => "confirming_resize",
            Self::RevertingResize => "reverting_resize",
        }
    }

    /// The task of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.as_str() == word)
    }
}

/// What a host says of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerState {
    /// Nobody has said yet, or it cannot be known.
    Unknown,
    Running,
    /// Its virtual CPUs do not run, but its process exists.
    Paused,
    /// There is no process.
    Shutdown,
    /// The guest or its process failed.
    Crashed,
}

impl PowerState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Unknown, Self::Running, Self::Paused, Self::Shutdown, Self::Crashed];

    /// The word in the database and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Shutdown => "shutdown",
            Self::Crashed => "crashed",
        }
    }

    /// The power state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|power| power.as_str() == word)
    }

    /// Nova's number, `OS-EXT-STS:power_state`.
    pub fn nova_number(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Running => 1,
            Self::Paused => 3,
            Self::Shutdown => 4,
            Self::Crashed => 6,
        }
    }
}

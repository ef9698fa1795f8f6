//! Commands to an agent, and what it reports of them.

use cuttle_model::clock::Timestamp;
use cuttle_model::ids::{CommandId, Epoch, InstanceId};
use cuttle_model::instance::PowerState;
use serde::{Deserialize, Serialize};

use crate::guest::GuestSpec;
use crate::inventory::Inventory;

/// One thing that an agent shall do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    pub id: CommandId,
    pub instance_id: InstanceId,
    pub epoch: Epoch,
    pub action: Action,
    /// Not to be begun after this time: whoever waited has gone.
    pub not_after: Timestamp,
}

/// What shall be done to the guest of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Create the guest, paused. Already done if it exists in this epoch, paused or running.
    CreateGuest {
        /// What to create.
        spec: Box<GuestSpec>,
    },
    /// Let the guest of this epoch run: the control plane has recorded its clients.
    ResumeGuest,
    /// Let the guest of this epoch stand still: its process and its memory stay. [`Action::ResumeGuest`] lets it go on.
    PauseGuest,
    /// Make sure that no guest of this instance runs here, in this epoch or an older one.
    /// Done only when its process is gone; from then on, no older command starts it.
    StopGuest {
        /// How.
        mode: ShutdownMode,
    },
    /// Send the end of the serial console's log.
    ReadConsole {
        /// How many bytes at the most.
        max_bytes: u64,
    },
    /// Say what is on this host: every guest, and every secret of Ceph's kind in libvirt. It is about no instance; nothing is
    /// changed.
    TakeInventory,
    /// The instance was deleted: stop it at once and remove what the host keeps of it (its console's
    /// log, its directory). Never its disk.
    ForgetGuest,
}

impl Action {
    /// The word in logs and in the database.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateGuest { .. } => "create_guest",
            Self::ResumeGuest => "resume_guest",
            Self::PauseGuest => "pause_guest",
            Self::StopGuest { .. } => "stop_guest",
            Self::ReadConsole { .. } => "read_console",
            Self::TakeInventory => "take_inventory",
            Self::ForgetGuest => "forget_guest",
        }
    }
}

/// How a guest is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum ShutdownMode {
    /// Press the power button, and pull the plug if the guest still runs after this long.
    Clean {
        /// Seconds until the plug is pulled.
        timeout_seconds: u64,
    },
    /// Pull the plug.
    Force,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub command_id: CommandId,
    pub instance_id: InstanceId,
    pub epoch: Epoch,
    pub outcome: Outcome,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The guest is there (after create and resume) with this power state.
    Guest { power: PowerState },
    /// No process of the guest exists, and none will start by a command of this epoch or an older one.
    Gone,
    /// The console's last bytes, as text.
    Console { text: String },
    /// What is on the host.
    Inventory { inventory: Box<Inventory> },
    /// It was not done and nothing was changed.
    Refused { refusal: Refusal },
    /// It went wrong. Asking again may help if `retry` says so. Whether something was changed is
    /// not known; [`Action::StopGuest`] makes it certain.
    Failed { message: String, retry: bool },
}

/// Why an agent did nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// The agent knows a newer epoch of this instance.
    OldEpoch { newest: Epoch },
    /// There is no guest of this epoch to resume.
    NoGuest,
    /// The command arrived after its time.
    TooLate,
}

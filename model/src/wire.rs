//! How clients see an instance: Nova's four words, computed in this one place and stored nowhere.

use crate::instance::{InstanceState, PowerState, StateName, Task};

/// Nova's words for an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NovaView {
    /// `OS-EXT-STS:vm_state`.
    pub vm_state: &'static str,
    /// `OS-EXT-STS:task_state`.
    pub task_state: Option<&'static str>,
    /// `OS-EXT-STS:power_state`.
    pub power_state: u8,
    /// `status`.
    pub status: &'static str,
}

/// Nova's words for this state, task and power state.
pub fn nova_view(state: &InstanceState, task: Option<Task>, power: PowerState) -> NovaView {
    let (vm_state, status) = match state.name() {
        StateName::Building => ("building", "BUILD"),
        StateName::Active => ("active", "ACTIVE"),
        StateName::Stopped => ("stopped", "SHUTOFF"),
        StateName::Error => ("error", "ERROR"),
        StateName::Deleted => ("deleted", "DELETED"),
    };
    // Clients wait for these two to be over. An instance that was in another state keeps its word.
    let status = match (state.name(), task) {
        (StateName::Active, Some(Task::Rebooting)) => "REBOOT",
        (StateName::Active, Some(Task::RebootingHard)) => "HARD_REBOOT",
        _ => status,
    };
    NovaView { vm_state, task_state: task.map(task_state), power_state: power.nova_number(), status }
}

fn task_state(task: Task) -> &'static str {
    match task {
        Task::MakingDisk => "block_device_mapping",
        Task::Spawning => "spawning",
        Task::Deleting => "deleting",
        Task::Starting => "powering-on",
        Task::Stopping => "powering-off",
        Task::Rebooting => "rebooting",
        Task::RebootingHard => "rebooting_hard",
    }
}

/// The states that a client means by a `status` filter; `None` for a word that is no status.
/// A status of Nova that Cuttle never shows matches no state.
pub fn states_of_status(status: &str) -> Option<Vec<StateName>> {
    let found = match status.to_ascii_uppercase().as_str() {
        "BUILD" => vec![StateName::Building],
        "ACTIVE" => vec![StateName::Active],
        "SHUTOFF" => vec![StateName::Stopped],
        "ERROR" => vec![StateName::Error],
        "DELETED" => vec![StateName::Deleted],
        "HARD_REBOOT" | "MIGRATING" | "PASSWORD" | "PAUSED" | "REBOOT" | "REBUILD" | "RESCUE" | "RESIZE" | "REVERT_RESIZE"
        | "SHELVED" | "SHELVED_OFFLOADED" | "SOFT_DELETED" | "SUSPENDED" | "UNKNOWN" | "VERIFY_RESIZE" => Vec::new(),
        _ => return None,
    };
    Some(found)
}

/// The words as Markdown tables.
pub fn table() -> String {
    let mut text = String::from("| state | `vm_state` | `status` |\n|---|---|---|\n");
    let fault = crate::fault::Fault::new(crate::fault::FaultKind::Internal, "");
    let states = [
        InstanceState::Building,
        InstanceState::Active,
        InstanceState::Stopped,
        InstanceState::Error { fault },
        InstanceState::Deleted,
    ];
    for state in states {
        let view = nova_view(&state, None, PowerState::Unknown);
        text += &format!("| {} | `{}` | `{}` |\n", state.name().as_str(), view.vm_state, view.status);
    }
    text += "\n| task | `task_state` | `status` of an active instance |\n|---|---|---|\n";
    for task in Task::ALL {
        let status = nova_view(&InstanceState::Active, Some(task), PowerState::Running).status;
        text += &format!("| {} | `{}` | `{status}` |\n", task.as_str(), task_state(task));
    }
    text += "\n| power | `power_state` |\n|---|---|\n";
    for power in PowerState::ALL {
        text += &format!("| {} | {} |\n", power.as_str(), power.nova_number());
    }
    text
}

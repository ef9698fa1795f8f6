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
    let (vm_state, status) = words(state.name());
    // Clients wait for these to be over. An instance that was in another state keeps its word.
    let status = match (state.name(), task) {
        (StateName::Active, Some(Task::Rebooting)) => "REBOOT",
        (StateName::Active, Some(Task::RebootingHard)) => "HARD_REBOOT",
        (StateName::Active | StateName::Stopped, Some(Task::Resizing)) => "RESIZE",
        (StateName::Resized, Some(Task::RevertingResize)) => "REVERT_RESIZE",
        _ => status,
    };
    NovaView { vm_state, task_state: task.map(task_state), power_state: power.nova_number(), status }
}

/// `vm_state` and `status` of an instance to which nothing is being done.
fn words(state: StateName) -> (&'static str, &'static str) {
    match state {
        StateName::Building => ("building", "BUILD"),
        StateName::Active => ("active", "ACTIVE"),
        StateName::Paused => ("paused", "PAUSED"),
        StateName::Stopped => ("stopped", "SHUTOFF"),
        StateName::Resized => ("resized", "VERIFY_RESIZE"),
        StateName::Error => ("error", "ERROR"),
        StateName::Deleted => ("deleted", "DELETED"),
    }
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
        Task::Pausing => "pausing",
        Task::Unpausing => "unpausing",
        Task::Resizing => "resize_migrating",
        Task::ConfirmingResize => "resize_confirming",
        Task::RevertingResize => "resize_reverting",
    }
}

/// The states that a client means by a `status` filter; `None` for a word that is no status.
/// A status of Nova that Cuttle never shows matches no state.
pub fn states_of_status(status: &str) -> Option<Vec<StateName>> {
    let found = match status.to_ascii_uppercase().as_str() {
        "BUILD" => vec![StateName::Building],
        "ACTIVE" => vec![StateName::Active],
        "PAUSED" => vec![StateName::Paused],
        "SHUTOFF" => vec![StateName::Stopped],
        "VERIFY_RESIZE" => vec![StateName::Resized],
        "ERROR" => vec![StateName::Error],
        "DELETED" => vec![StateName::Deleted],
        "HARD_REBOOT" | "MIGRATING" | "PASSWORD" | "REBOOT" | "REBUILD" | "RESCUE" | "RESIZE" | "REVERT_RESIZE" | "SHELVED"
        | "SHELVED_OFFLOADED" | "SOFT_DELETED" | "SUSPENDED" | "UNKNOWN" => Vec::new(),
        _ => return None,
    };
    Some(found)
}

/// The words as Markdown tables.
pub fn table() -> String {
    let mut text = String::from("| state | `vm_state` | `status` |\n|---|---|---|\n");
    for state in StateName::ALL {
        let (vm_state, status) = words(state);
        text += &format!("| {} | `{vm_state}` | `{status}` |\n", state.as_str());
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

//! Confirm: the instance stays where and what it is, and what was kept for going back is given up.

use cuttle_model::disk::Disk;
use cuttle_model::ids::{Epoch, HostId, InstanceId};
use cuttle_model::instance::{Instance, InstanceState, PowerState};
use cuttle_model::operation::OperationKind;
use serde::{Deserialize, Serialize};

use super::disk;
use crate::engine::{ClaimEnd, Context, Outcome, Step, StepError, Steps, step};
use crate::guest;

/// The operation's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Confirm {
    instance_id: InstanceId,
    /// The host that it has left.
    left_host_id: Option<HostId>,
    epoch: Epoch,
    /// The disk that has a snapshot of what it was.
    grown: Option<Disk>,
    /// It has it no more: from here on there is no way back.
    given_up: bool,
}

impl Confirm {
    pub(crate) fn new(instance: &Instance) -> Self {
        let before = match &instance.state {
            InstanceState::Resized { before } => Some(before),
            _ => None,
        };
        Self {
            instance_id: instance.id,
            left_host_id: before.map(|before| before.host_id).filter(|left| Some(*left) != instance.host_id),
            epoch: instance.epoch,
            grown: instance.root_disk.clone().filter(|_| before.is_some_and(|before| before.disk.is_some())),
            given_up: false,
        }
    }
}

impl Steps for Confirm {
    const KIND: OperationKind = OperationKind::ConfirmResize;

    fn steps() -> Vec<Step<Self>> {
        vec![
            step!("remove snapshot", remove_snapshot, undo: see_what_is_left),
            step!("leave old host", leave, no_undo: "the host keeps nothing that is needed"),
        ]
    }

    fn end_instance(&self, outcome: &Outcome, instance: &mut Instance) -> ClaimEnd {
        match outcome {
            // What cannot go back any more is confirmed, whatever failed after that.
            Outcome::Undone(_) if !self.given_up => ClaimEnd::Kept,
            Outcome::Succeeded | Outcome::Undone(_) => {
                instance.state = match instance.power {
                    PowerState::Shutdown | PowerState::Crashed => InstanceState::Stopped,
                    PowerState::Unknown | PowerState::Running | PowerState::Paused => InstanceState::Active,
                };
                ClaimEnd::OtherReleased
            }
            // It cannot be known whether it could still go back. It can be confirmed again.
            Outcome::Parked(_) => ClaimEnd::Kept,
        }
    }
}

async fn remove_snapshot(context: &Context, state: &mut Confirm) -> Result<(), StepError> {
    if let Some(disk) = &state.grown {
        disk::forget_kept(context, disk).await?;
        state.given_up = true;
    }
    Ok(())
}

/// A snapshot that is gone does not come back: the step may have removed it without coming to know.
async fn see_what_is_left(context: &Context, state: &mut Confirm) -> Result<(), StepError> {
    if let Some(disk) = &state.grown {
        state.given_up = !disk::can_be_brought_back(context, disk).await?;
    }
    Ok(())
}

/// Its console's log is there still. Nobody waits for it: the host may be away.
async fn leave(context: &Context, state: &mut Confirm) -> Result<(), StepError> {
    match state.left_host_id {
        Some(left) => guest::forget_there(context, state.instance_id, left, state.epoch).await,
        None => Ok(()),
    }
}

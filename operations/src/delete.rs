//! Delete: the guest goes at once, the disks to the trash, the claim back.
//!
//! Nothing is waited for that a dead host would have to do: a host that does not answer finds the
//! command when it is back, and its guest meanwhile writes to a disk that nobody else has. What was
//! recorded of its clients stays until they are proven gone.

use cuttle_compute_protocol::Outcome as Reported;
use cuttle_model::disk::{Disk, larger_disk_name};
use cuttle_model::fault::FaultKind;
use cuttle_model::ids::{Epoch, HostId, InstanceId};
use cuttle_model::instance::{Instance, InstanceState, PowerState};
use cuttle_model::operation::OperationKind;
use serde::{Deserialize, Serialize};

use crate::agent;
use crate::engine::{ClaimEnd, Context, Outcome, Step, StepError, Steps, step};
use crate::guest;

/// The operation's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delete {
    instance_id: InstanceId,
    target: Option<Target>,
    /// The agent said that the guest is gone.
    stopped: bool,
}

/// What is to be deleted, as it is when the operation begins to work: it may have waited for another.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Target {
    host_id: Option<HostId>,
    /// Where it could have gone back to: there is no guest, only what the host keeps of it.
    left_host_id: Option<HostId>,
    epoch: Epoch,
    disks: Vec<Disk>,
    /// Where a move could not be undone, a disk may be left that no row names: the pool to look in, and its name there.
    aside: Option<(String, String)>,
}

impl Delete {
    pub(crate) fn new(instance_id: InstanceId) -> Self {
        Self { instance_id, target: None, stopped: false }
    }
}

impl Steps for Delete {
    const KIND: OperationKind = OperationKind::DeleteInstance;

    fn steps() -> Vec<Step<Self>> {
        vec![
            step!("look", look, no_undo: "it only reads"),
            step!("destroy guest", destroy_guest, no_undo: "a guest that was destroyed is gone"),
            step!("move disks to trash", trash_disks, no_undo: "the user asked for it; the trash keeps it for a while"),
            step!("prove clients gone", prove_gone, no_undo: "what is gone stays gone"),
            step!("forget user data", forget_user_data, no_undo: "the user asked for it"),
        ]
    }

    fn end_instance(&self, outcome: &Outcome, instance: &mut Instance) -> ClaimEnd {
        match outcome {
            Outcome::Succeeded => {
                instance.state = InstanceState::Deleted;
                instance.power = PowerState::Shutdown;
                instance.deleted_at = Some(instance.updated_at);
                instance.root_disk = None;
                instance.extra_disks = Vec::new();
                ClaimEnd::Released
            }
            Outcome::Undone(fault) | Outcome::Parked(fault) => {
                instance.state = InstanceState::Error { fault: fault.clone() };
                if self.stopped {
                    instance.power = PowerState::Shutdown;
                }
                ClaimEnd::Kept
            }
        }
    }
}

async fn look(context: &Context, state: &mut Delete) -> Result<(), StepError> {
    let instance = context.instance().await?;
    let disks = instance.disks().cloned().collect();
    let left_host_id = match &instance.state {
        InstanceState::Resized { before } => Some(before.host_id).filter(|left| Some(*left) != instance.host_id),
        _ => None,
    };
    let aside = match (&instance.state, &instance.root_disk) {
        (InstanceState::Error { .. }, Some(root)) => Some((root.pool.clone(), larger_disk_name(instance.id))),
        _ => None,
    };
    state.target = Some(Target { host_id: instance.host_id, left_host_id, epoch: instance.epoch, disks, aside });
    Ok(())
}

async fn destroy_guest(context: &Context, state: &mut Delete) -> Result<(), StepError> {
    let Some(target) = &state.target else { return Err(not_looked()) };
    if let Some(left) = target.left_host_id {
        guest::forget_there(context, state.instance_id, left, target.epoch).await?;
    }
    let Some(host) = target.host_id else {
        state.stopped = true;
        return Ok(());
    };
    let command = guest::forget_command(context, state.instance_id, host, target.epoch);
    let patience = std::time::Duration::from_secs(context.control.settings().delete_patience_seconds);
    match agent::ask_and_leave(&context.control, host, &command, patience).await? {
        Some(Reported::Failed { message, retry: true }) => return Err(StepError::retry(FaultKind::Hypervisor, message)),
        Some(Reported::Failed { message, retry: false }) => return Err(StepError::failed(FaultKind::Hypervisor, message)),
        Some(_) => state.stopped = true,
        None => tracing::warn!(instance = %state.instance_id, %host, "deleted without its host, which does not answer"),
    }
    Ok(())
}

async fn trash_disks(context: &Context, state: &mut Delete) -> Result<(), StepError> {
    let Some(target) = &state.target else { return Err(not_looked()) };
    let delay = context.control.settings().trash_delay();
    // By its id: whatever has that name now. False: it is there already, from an earlier run of this step.
    let moves = target
        .disks
        .iter()
        .map(|disk| async move { context.control.ceph().pool(&disk.pool).trash_move_by_id(&disk.image_id, delay).await });
    futures::future::try_join_all(moves).await?;
    if let Some((pool, name)) = &target.aside {
        context.control.ceph().pool(pool).trash_move(name, delay).await?;
    }
    Ok(())
}

/// Where the process is known to be gone, so are its clients; a watch that outlives its process is no
/// reason to keep the user waiting, because nobody will ever open this disk again.
async fn prove_gone(context: &Context, state: &mut Delete) -> Result<(), StepError> {
    let Some(target) = &state.target else { return Err(not_looked()) };
    if !state.stopped {
        return Ok(());
    }
    match guest::prove_clients_gone(context, state.instance_id, target.epoch).await {
        Err(StepError::Retry(_)) | Ok(()) => Ok(()),
        Err(error) => Err(error),
    }
}

/// It may hold secrets, and nobody needs it any more.
async fn forget_user_data(context: &Context, state: &mut Delete) -> Result<(), StepError> {
    Ok(context.control.database().delete_user_data(state.instance_id).await?)
}

fn not_looked() -> StepError {
    StepError::failed(FaultKind::Internal, "the instance was not looked at")
}

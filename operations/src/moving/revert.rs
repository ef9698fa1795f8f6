//! Revert: the instance goes back to where and what it was before it was moved.
//!
//! What its guest wrote since is lost only where the disk was made larger: the smaller one cannot hold it. A move that
//! kept the disk's size goes back with the disk as it is.

use cuttle_model::disk::Disk;
use cuttle_model::ids::ProjectId;
use cuttle_model::instance::{Instance, InstanceState, PowerState};
use cuttle_model::operation::OperationKind;
use serde::{Deserialize, Serialize};

use super::disk;
use super::relocation::{Place, Relocation};
use crate::disks::DiskOwner;
use crate::engine::{ClaimEnd, Context, Outcome, Step, StepError, Steps, step};

/// The operation's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Revert {
    relocation: Relocation,
    project_id: ProjectId,
    shrink: Option<Shrink>,
    begun: bool,
}

/// A root disk to be taken back to what it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Shrink {
    larger: Disk,
    before_bytes: u64,
}

impl Revert {
    /// `None`: the instance has nothing to go back to.
    pub(crate) fn new(instance: &Instance) -> Option<Self> {
        let InstanceState::Resized { before } = &instance.state else { return None };
        let from = Place { host_id: instance.host_id?, flavor: instance.flavor.clone() };
        let to = Place { host_id: before.host_id, flavor: before.flavor.clone() };
        // Whoever has no guest that runs needs none ended; whoever may have one does.
        let runs_now = instance.power != PowerState::Shutdown;
        let relocation = Relocation::new(instance.id, instance.epoch, from, to, runs_now, before.ran);
        let shrink = match (&before.disk, &instance.root_disk) {
            (Some(kept), Some(larger)) => Some(Shrink { larger: larger.clone(), before_bytes: kept.size_bytes }),
            _ => None,
        };
        Some(Self { relocation, project_id: instance.project_id, shrink, begun: false })
    }
}

impl Steps for Revert {
    const KIND: OperationKind = OperationKind::RevertResize;

    fn steps() -> Vec<Step<Self>> {
        vec![
            step!("shut guest down", shut_down, undo: run_again),
            step!("prove clients gone", prove_gone, no_undo: "what is gone stays gone"),
            step!("bring disk back", bring_disk_back, undo: take_larger_again),
            step!("move back", go, undo: go_back),
            step!("begin epoch", begin_epoch, no_undo: "an epoch only grows"),
            step!("create guest", create_guest, undo: destroy_guest),
            step!("record clients", record_clients, no_undo: "a guest that is destroyed makes its records void; destroying it proves that"),
            step!("run guest", run_guest, no_undo: "destroying the guest undoes this too"),
            step!("move larger disk to trash", trash_larger, undo: restore_larger),
            step!("leave other host", leave, no_undo: "the host keeps nothing that is needed"),
        ]
    }

    fn end_instance(&self, outcome: &Outcome, instance: &mut Instance) -> ClaimEnd {
        let relocation = &self.relocation;
        match outcome {
            Outcome::Succeeded => {
                instance.state = if relocation.runs_after { InstanceState::Active } else { InstanceState::Stopped };
                instance.power = relocation.power_after();
                ClaimEnd::OtherReleased
            }
            Outcome::Undone(_) => {
                if self.begun {
                    instance.power = relocation.power_before();
                }
                ClaimEnd::Kept
            }
            Outcome::Parked(fault) => {
                instance.state = InstanceState::Error { fault: fault.clone() };
                instance.power = PowerState::Unknown;
                ClaimEnd::Kept
            }
        }
    }
}

async fn shut_down(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    state.begun = true;
    state.relocation.shut_down(context).await
}

async fn run_again(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    state.begun = true;
    state.relocation.run_again(context).await
}

async fn prove_gone(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    state.relocation.prove_gone(context).await
}

async fn bring_disk_back(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    let Some(shrink) = &state.shrink else { return Ok(()) };
    let owner = DiskOwner { instance_id: state.relocation.instance_id, project_id: state.project_id };
    disk::bring_back(context, owner, &shrink.larger, shrink.before_bytes).await
}

async fn take_larger_again(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    match &state.shrink {
        Some(shrink) => disk::take_larger_again(context, state.relocation.instance_id, &shrink.larger).await,
        None => Ok(()),
    }
}

async fn go(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    state.relocation.go(context).await
}

async fn go_back(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    state.relocation.go_back(context).await
}

async fn begin_epoch(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    state.relocation.begin_epoch(context).await
}

async fn create_guest(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    state.relocation.create_guest(context).await
}

async fn destroy_guest(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    state.relocation.destroy_guest(context).await
}

async fn record_clients(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    state.relocation.record_clients(context).await
}

async fn run_guest(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    state.relocation.run_guest(context).await
}

async fn trash_larger(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    match &state.shrink {
        Some(shrink) => disk::trash_larger(context, &shrink.larger).await,
        None => Ok(()),
    }
}

async fn restore_larger(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    match &state.shrink {
        Some(shrink) => disk::restore_larger(context, state.relocation.instance_id, &shrink.larger).await,
        None => Ok(()),
    }
}

async fn leave(context: &Context, state: &mut Revert) -> Result<(), StepError> {
    state.relocation.leave(context).await
}

//! Resize and cold migrate: the guest ends here and runs there, with a larger disk where the flavor says so.
//!
//! Both are one list of steps: a migration is a resize that keeps its flavor. What fails is undone down to a guest that
//! runs again where it was.

use cuttle_model::disk::Disk;
use cuttle_model::ids::ProjectId;
use cuttle_model::instance::{BeforeResize, DiskBefore, Instance, InstanceState, PowerState};
use cuttle_model::operation::OperationKind;
use serde::{Deserialize, Serialize};

use super::disk;
use super::relocation::Relocation;
use crate::disks::DiskOwner;
use crate::engine::{ClaimEnd, Context, Outcome, Step, StepError, Steps, step};

/// The operation's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resize {
    relocation: Relocation,
    project_id: ProjectId,
    grow: Option<Grow>,
    /// A step has begun: before that, nothing has to be said of the guest.
    begun: bool,
}

/// A root disk to be made larger.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Grow {
    /// As it is before.
    pub disk: Disk,
    pub size_bytes: u64,
    /// What a revert goes back to, once it is there.
    pub before: Option<DiskBefore>,
}

impl Resize {
    pub(super) fn new(relocation: Relocation, project_id: ProjectId, grow: Option<(Disk, u64)>) -> Self {
        let grow = grow.map(|(disk, size_bytes)| Grow { disk, size_bytes, before: None });
        Self { relocation, project_id, grow, begun: false }
    }
}

impl Steps for Resize {
    const KIND: OperationKind = OperationKind::ResizeInstance;

    fn steps() -> Vec<Step<Self>> {
        vec![
            step!("shut guest down", shut_down, undo: run_again),
            step!("prove clients gone", prove_gone, no_undo: "what is gone stays gone"),
            step!("grow disk", grow_disk, undo: bring_disk_back),
            step!("move", go, undo: go_back),
            step!("begin epoch", begin_epoch, no_undo: "an epoch only grows"),
            step!("create guest", create_guest, undo: destroy_guest),
            step!("record clients", record_clients, no_undo: "a guest that is destroyed makes its records void; destroying it proves that"),
            step!("run guest", run_guest, no_undo: "destroying the guest undoes this too"),
        ]
    }

    fn end_instance(&self, outcome: &Outcome, instance: &mut Instance) -> ClaimEnd {
        let relocation = &self.relocation;
        match outcome {
            Outcome::Succeeded => {
                let before = BeforeResize {
                    host_id: relocation.from.host_id,
                    flavor: relocation.from.flavor.clone(),
                    ran: relocation.ran_before,
                    disk: self.grow.as_ref().and_then(|grow| grow.before.clone()),
                    moved_at: instance.updated_at,
                };
                instance.state = InstanceState::Resized { before: Box::new(before) };
                instance.power = relocation.power_after();
                ClaimEnd::Kept
            }
            Outcome::Undone(_) => {
                if self.begun {
                    instance.power = relocation.power_before();
                }
                ClaimEnd::OtherReleased
            }
            Outcome::Parked(fault) => {
                instance.state = InstanceState::Error { fault: fault.clone() };
                instance.power = PowerState::Unknown;
                // Something of it may still be in the new place, so that room stays claimed.
                if relocation.moved { ClaimEnd::Kept } else { ClaimEnd::OtherReleased }
            }
        }
    }
}

async fn shut_down(context: &Context, state: &mut Resize) -> Result<(), StepError> {
    state.begun = true;
    state.relocation.shut_down(context).await
}

async fn run_again(context: &Context, state: &mut Resize) -> Result<(), StepError> {
    state.begun = true;
    state.relocation.run_again(context).await
}

async fn prove_gone(context: &Context, state: &mut Resize) -> Result<(), StepError> {
    state.relocation.prove_gone(context).await
}

async fn grow_disk(context: &Context, state: &mut Resize) -> Result<(), StepError> {
    if let Some(grow) = &mut state.grow {
        grow.before = Some(disk::keep_and_grow(context, &grow.disk, grow.size_bytes).await?);
    }
    Ok(())
}

async fn bring_disk_back(context: &Context, state: &mut Resize) -> Result<(), StepError> {
    if let Some(grow) = &mut state.grow {
        let owner = DiskOwner { instance_id: state.relocation.instance_id, project_id: state.project_id };
        disk::bring_back(context, owner, &grow.disk, grow.disk.size_bytes).await?;
        disk::trash_larger(context, &grow.disk).await?;
        grow.before = None;
    }
    Ok(())
}

async fn go(context: &Context, state: &mut Resize) -> Result<(), StepError> {
    state.relocation.go(context).await
}

async fn go_back(context: &Context, state: &mut Resize) -> Result<(), StepError> {
    state.relocation.go_back(context).await
}

async fn begin_epoch(context: &Context, state: &mut Resize) -> Result<(), StepError> {
    state.relocation.begin_epoch(context).await
}

async fn create_guest(context: &Context, state: &mut Resize) -> Result<(), StepError> {
    state.relocation.create_guest(context).await
}

async fn destroy_guest(context: &Context, state: &mut Resize) -> Result<(), StepError> {
    state.relocation.destroy_guest(context).await
}

async fn record_clients(context: &Context, state: &mut Resize) -> Result<(), StepError> {
    state.relocation.record_clients(context).await
}

async fn run_guest(context: &Context, state: &mut Resize) -> Result<(), StepError> {
    state.relocation.run_guest(context).await
}

//! Reboot: end the guest and run it again, made anew, on the host where it is.
//!
//! A soft reboot asks the guest to shut down and pulls its plug when it has not gone in time; a hard one
//! pulls it at once. Either way the next guest is a new process with a new domain, so it begins a new
//! epoch under the same rule as every start: created paused, its clients recorded, allowed, resumed.
//! A guest that reboots by itself needs none of this: its process stays.
//!
//! What cannot be undone is a guest's end. A reboot that fails after it leaves the instance in error with
//! the reason, and a hard reboot is the way on.

use cuttle_compute_protocol::ShutdownMode;
use cuttle_model::fault::FaultKind;
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::{Instance, InstanceState, PowerState, Task};
use cuttle_model::operation::OperationKind;
use serde::{Deserialize, Serialize};

use crate::engine::{ClaimEnd, Context, Outcome, Step, StepError, Steps, step};
use crate::guest::{self, GuestRun};
use crate::new_run::{self, NewRun};

/// How the guest is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RebootKind {
    Soft,
    Hard,
}

/// The operation's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reboot {
    instance_id: InstanceId,
    kind: RebootKind,
    /// The agent said that the old guest is gone.
    stopped: bool,
    run: Option<GuestRun>,
}

impl Reboot {
    pub(crate) fn new(instance_id: InstanceId, kind: RebootKind) -> Self {
        Self { instance_id, kind, stopped: false, run: None }
    }
}

impl NewRun for Reboot {
    fn instance_id(&self) -> InstanceId {
        self.instance_id
    }

    fn run(&self) -> &Option<GuestRun> {
        &self.run
    }

    fn set_run(&mut self, run: GuestRun) {
        self.run = Some(run);
    }
}

impl Steps for Reboot {
    const KIND: OperationKind = OperationKind::RebootInstance;

    fn steps() -> Vec<Step<Self>> {
        let end = step!("end old guest", end_guest, no_undo: "a guest that was ended cannot be brought back as it was");
        std::iter::once(end).chain(new_run::steps()).collect()
    }

    /// A hard reboot is taken in the place of a soft one that is under way.
    fn gives_way_to(&self, task: Task) -> bool {
        task == Task::Deleting || (task == Task::RebootingHard && self.kind == RebootKind::Soft)
    }

    fn end_instance(&self, outcome: &Outcome, instance: &mut Instance) -> ClaimEnd {
        match outcome {
            Outcome::Succeeded => {
                instance.state = InstanceState::Active;
                instance.power = PowerState::Running;
                instance.launched_at = instance.launched_at.or(Some(instance.updated_at));
                // It runs here and nowhere else: what a move that could not be undone left claimed is free.
                return ClaimEnd::OtherReleased;
            }
            // It may have been told to end, and what came of that nobody knows: the agent says so when it speaks next.
            Outcome::Undone(_) if !self.stopped && instance.state == InstanceState::Active => {
                instance.power = PowerState::Unknown
            }
            Outcome::Undone(_) if !self.stopped => {}
            Outcome::Undone(fault) => {
                instance.power = PowerState::Shutdown;
                // One that was meant not to run is as it was; one that the next operation runs is no error.
                if instance.state != InstanceState::Stopped && instance.task != Some(Task::RebootingHard) {
                    instance.state = InstanceState::Error { fault: fault.clone() };
                }
            }
            Outcome::Parked(fault) => {
                instance.state = InstanceState::Error { fault: fault.clone() };
                instance.power = PowerState::Unknown;
            }
        }
        ClaimEnd::Kept
    }
}

async fn end_guest(context: &Context, state: &mut Reboot) -> Result<(), StepError> {
    let instance = context.instance().await?;
    let host = instance.host_id.ok_or_else(|| StepError::failed(FaultKind::Internal, "the instance has no host"))?;
    let mode = match state.kind {
        RebootKind::Soft => ShutdownMode::Clean { timeout_seconds: context.control.settings().shutdown_timeout_seconds },
        RebootKind::Hard => ShutdownMode::Force,
    };
    let ending = guest::stop_for_certain(context, state.instance_id, host, instance.epoch, mode);
    context.or_cancelled(ending).await??;
    state.stopped = true;
    Ok(())
}

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
use cuttle_model::instance::{Instance, InstanceState, PowerState};
use cuttle_model::operation::OperationKind;
use serde::{Deserialize, Serialize};

use crate::engine::{ClaimEnd, Context, Outcome, Step, StepError, Steps, step};
use crate::guest::{self, GuestRun};

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

    fn run(&self) -> Result<&GuestRun, StepError> {
        self.run.as_ref().ok_or_else(|| StepError::failed(FaultKind::Internal, "the instance has no new epoch"))
    }
}

impl Steps for Reboot {
    const KIND: OperationKind = OperationKind::RebootInstance;

    fn steps() -> Vec<Step<Self>> {
        vec![
            step!("end old guest", end_guest, no_undo: "a guest that was ended cannot be brought back as it was"),
            step!("prove old guest gone", prove_gone, no_undo: "what is gone stays gone"),
            step!("begin epoch", begin_epoch, no_undo: "an epoch only grows"),
            step!("create guest", create_guest, undo: destroy_guest),
            step!("record clients", record_clients, no_undo: "a guest that is destroyed makes its records void; destroying it proves that"),
            step!("run guest", run_guest, no_undo: "destroying the guest undoes this too"),
        ]
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
                // One that was meant not to run is as it was.
                if instance.state != InstanceState::Stopped {
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

async fn prove_gone(context: &Context, state: &mut Reboot) -> Result<(), StepError> {
    guest::prove_gone(context, state.instance_id).await
}

async fn begin_epoch(context: &Context, state: &mut Reboot) -> Result<(), StepError> {
    state.run = Some(guest::begin_run(context).await?);
    Ok(())
}

async fn create_guest(context: &Context, state: &mut Reboot) -> Result<(), StepError> {
    guest::create_paused(context, state.run()?).await
}

async fn destroy_guest(context: &Context, state: &mut Reboot) -> Result<(), StepError> {
    let run = state.run()?;
    guest::make_void(context, run.instance_id, run.host_id, run.epoch).await
}

async fn record_clients(context: &Context, state: &mut Reboot) -> Result<(), StepError> {
    guest::record_clients(context, state.run()?).await
}

async fn run_guest(context: &Context, state: &mut Reboot) -> Result<(), StepError> {
    guest::resume(context, state.run()?).await
}

//! Start: run the guest of a stopped instance again, on the host where its claim is.
//!
//! Invariant: the new epoch begins only when no client of an older one can still write. The step
//! proves it, and the database checks it in the transaction that begins the epoch.

use cuttle_model::fault::FaultKind;
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::{Instance, InstanceState, PowerState};
use cuttle_model::operation::OperationKind;
use serde::{Deserialize, Serialize};

use crate::engine::{ClaimEnd, Context, Outcome, Step, StepError, Steps, step};
use crate::guest::{self, GuestRun};

/// The operation's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Start {
    instance_id: InstanceId,
    run: Option<GuestRun>,
}

impl Start {
    pub(crate) fn new(instance_id: InstanceId) -> Self {
        Self { instance_id, run: None }
    }

    fn run(&self) -> Result<&GuestRun, StepError> {
        self.run.as_ref().ok_or_else(|| StepError::failed(FaultKind::Internal, "the instance has no new epoch"))
    }
}

impl Steps for Start {
    const KIND: OperationKind = OperationKind::StartInstance;

    fn steps() -> Vec<Step<Self>> {
        vec![
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
                // It runs here and nowhere else: what a move that could not be undone left claimed is free.
                return ClaimEnd::OtherReleased;
            }
            Outcome::Undone(_) => instance.power = PowerState::Shutdown,
            Outcome::Parked(fault) => {
                instance.state = InstanceState::Error { fault: fault.clone() };
                instance.power = PowerState::Unknown;
            }
        }
        ClaimEnd::Kept
    }
}

async fn prove_gone(context: &Context, state: &mut Start) -> Result<(), StepError> {
    guest::prove_gone(context, state.instance_id).await
}

async fn begin_epoch(context: &Context, state: &mut Start) -> Result<(), StepError> {
    state.run = Some(guest::begin_run(context).await?);
    Ok(())
}

async fn create_guest(context: &Context, state: &mut Start) -> Result<(), StepError> {
    guest::create_paused(context, state.run()?).await
}

async fn destroy_guest(context: &Context, state: &mut Start) -> Result<(), StepError> {
    let run = state.run()?;
    guest::make_void(context, run.instance_id, run.host_id, run.epoch).await
}

async fn record_clients(context: &Context, state: &mut Start) -> Result<(), StepError> {
    guest::record_clients(context, state.run()?).await
}

async fn run_guest(context: &Context, state: &mut Start) -> Result<(), StepError> {
    guest::resume(context, state.run()?).await
}

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
    let control = &context.control;
    if control.database().open_clients(state.instance_id).await?.is_empty() {
        return Ok(());
    }
    let instance = context.instance().await?;
    let host = instance.host_id.ok_or_else(|| StepError::failed(FaultKind::Internal, "the instance has no host"))?;
    guest::make_void(context, instance.id, host, instance.epoch).await
}

async fn begin_epoch(context: &Context, state: &mut Start) -> Result<(), StepError> {
    let instance = context.instance().await?;
    let incomplete = |what: &str| StepError::failed(FaultKind::Internal, format!("the instance has no {what}"));
    let host_id = instance.host_id.ok_or_else(|| incomplete("host"))?;
    let root_disk = instance.root_disk.clone().ok_or_else(|| incomplete("root disk"))?;
    let epoch = context.control.database().begin_epoch(instance.id, instance.epoch, host_id).await?;
    let Some(epoch) = epoch else {
        return Err(StepError::retry(FaultKind::Storage, "a client of an older epoch may still write to the disk"));
    };
    state.run = Some(GuestRun {
        instance_id: instance.id,
        project_id: instance.project_id,
        name: instance.name,
        flavor: instance.flavor,
        host_id,
        epoch,
        root_disk,
    });
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

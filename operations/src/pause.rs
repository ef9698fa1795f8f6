//! Pause and unpause: the guest stands still, or goes on, in the epoch in which it is.
//!
//! Its process stays and keeps its disks open, so neither needs new permission: what was recorded of its clients holds.

use cuttle_compute_protocol::Action;
use cuttle_model::fault::FaultKind;
use cuttle_model::ids::{Epoch, HostId, InstanceId};
use cuttle_model::instance::{Instance, InstanceState, PowerState};
use cuttle_model::operation::OperationKind;
use serde::{Deserialize, Serialize};

use crate::agent::{Answer, ask_in_step};
use crate::engine::{ClaimEnd, Context, Outcome, Step, StepError, Steps, step};

/// The state of both operations.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Target {
    instance_id: InstanceId,
    host_id: Option<HostId>,
    epoch: Epoch,
}

impl Target {
    fn of(instance: &Instance) -> Self {
        Self { instance_id: instance.id, host_id: instance.host_id, epoch: instance.epoch }
    }

    /// Asks for it, and answers whether the guest then is in this power state.
    async fn ask(&self, context: &Context, action: Action, wanted: PowerState) -> Result<(), StepError> {
        let host = self.host_id.ok_or_else(|| StepError::failed(FaultKind::Internal, "the instance has no host"))?;
        let patience = context.control.settings().command_timeout();
        match ask_in_step(context, host, self.instance_id, self.epoch, action, patience).await? {
            Answer::Guest(power) if power == wanted => Ok(()),
            Answer::Guest(power) => {
                let why = format!("the guest is {} instead of {}", power.as_str(), wanted.as_str());
                Err(StepError::retry(FaultKind::Hypervisor, why))
            }
            Answer::Gone | Answer::NoGuest => Err(StepError::failed(FaultKind::Hypervisor, "the guest has no process any more")),
        }
    }

    async fn pause(&self, context: &Context) -> Result<(), StepError> {
        self.ask(context, Action::PauseGuest, PowerState::Paused).await
    }

    async fn resume(&self, context: &Context) -> Result<(), StepError> {
        self.ask(context, Action::ResumeGuest, PowerState::Running).await
    }
}

/// What becomes of an instance whose guest was to be brought into another state.
fn settle(outcome: &Outcome, instance: &mut Instance, state: InstanceState, power: PowerState) -> ClaimEnd {
    match outcome {
        Outcome::Succeeded => {
            instance.state = state;
            instance.power = power;
        }
        // What came of it the agent says when it speaks next.
        Outcome::Undone(_) => instance.power = PowerState::Unknown,
        Outcome::Parked(_) => instance.power = PowerState::Unknown,
    }
    ClaimEnd::Kept
}

/// The guest is to stand still.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pause(Target);

impl Pause {
    pub(crate) fn new(instance: &Instance) -> Self {
        Self(Target::of(instance))
    }
}

impl Steps for Pause {
    const KIND: OperationKind = OperationKind::PauseInstance;

    fn steps() -> Vec<Step<Self>> {
        vec![step!("pause guest", pause, undo: let_go_on)]
    }

    fn end_instance(&self, outcome: &Outcome, instance: &mut Instance) -> ClaimEnd {
        settle(outcome, instance, InstanceState::Paused, PowerState::Paused)
    }
}

async fn pause(context: &Context, state: &mut Pause) -> Result<(), StepError> {
    state.0.pause(context).await
}

async fn let_go_on(context: &Context, state: &mut Pause) -> Result<(), StepError> {
    unless_gone(state.0.resume(context).await)
}

/// The guest is to go on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unpause(Target);

impl Unpause {
    pub(crate) fn new(instance: &Instance) -> Self {
        Self(Target::of(instance))
    }
}

impl Steps for Unpause {
    const KIND: OperationKind = OperationKind::UnpauseInstance;

    fn steps() -> Vec<Step<Self>> {
        vec![step!("resume guest", resume, undo: pause_again)]
    }

    fn end_instance(&self, outcome: &Outcome, instance: &mut Instance) -> ClaimEnd {
        settle(outcome, instance, InstanceState::Active, PowerState::Running)
    }
}

async fn resume(context: &Context, state: &mut Unpause) -> Result<(), StepError> {
    state.0.resume(context).await
}

async fn pause_again(context: &Context, state: &mut Unpause) -> Result<(), StepError> {
    unless_gone(state.0.pause(context).await)
}

/// A guest that ended meanwhile is in neither state; what it is the agent has told.
fn unless_gone(result: Result<(), StepError>) -> Result<(), StepError> {
    match result {
        Err(StepError::Failed(fault)) if fault.kind == FaultKind::Hypervisor => Ok(()),
        other => other,
    }
}

//! Start: run the guest of a stopped instance again, on the host where its claim is.
//!
//! Invariant: the new epoch begins only when no client of an older one can still write. The step
//! proves it, and the database checks it in the transaction that begins the epoch.

use cuttle_model::ids::InstanceId;
use cuttle_model::instance::{Instance, InstanceState, PowerState};
use cuttle_model::operation::OperationKind;
use serde::{Deserialize, Serialize};

use crate::engine::{ClaimEnd, Outcome, Step, Steps};
use crate::guest::GuestRun;
use crate::new_run::{self, NewRun};

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
}

impl NewRun for Start {
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

impl Steps for Start {
    const KIND: OperationKind = OperationKind::StartInstance;

    fn steps() -> Vec<Step<Self>> {
        new_run::steps().into()
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

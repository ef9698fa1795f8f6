//! Stop: shut the guest down, and pull its plug if it does not go by itself.

use cuttle_compute_protocol::ShutdownMode;
use cuttle_model::ids::{Epoch, HostId, InstanceId};
use cuttle_model::instance::{Instance, InstanceState, PowerState};
use cuttle_model::operation::OperationKind;
use serde::{Deserialize, Serialize};

use crate::engine::{ClaimEnd, Context, Outcome, Step, StepError, Steps, step};
use crate::guest;

/// The operation's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stop {
    instance_id: InstanceId,
    host_id: Option<HostId>,
    epoch: Epoch,
    /// The agent said that the guest is gone.
    stopped: bool,
}

impl Stop {
    pub(crate) fn new(instance_id: InstanceId, host_id: Option<HostId>, epoch: Epoch) -> Self {
        Self { instance_id, host_id, epoch, stopped: false }
    }
}

impl Steps for Stop {
    const KIND: OperationKind = OperationKind::StopInstance;

    fn steps() -> Vec<Step<Self>> {
        vec![
            step!("shut guest down", shut_down, no_undo: "a guest that was told to shut down cannot be told otherwise"),
            step!("prove clients gone", prove_gone, no_undo: "what is gone stays gone"),
        ]
    }

    fn end_instance(&self, outcome: &Outcome, instance: &mut Instance) -> ClaimEnd {
        match outcome {
            Outcome::Parked(fault) => instance.state = InstanceState::Error { fault: fault.clone() },
            // The guest is gone also where its clients are not proven gone yet; the next start proves it.
            Outcome::Succeeded | Outcome::Undone(_) if self.stopped => {
                instance.state = InstanceState::Stopped;
                instance.power = PowerState::Shutdown;
            }
            // It was told to, and what came of that nobody knows: the agent says so when it speaks next.
            Outcome::Succeeded | Outcome::Undone(_) => instance.power = PowerState::Unknown,
        }
        ClaimEnd::Kept
    }
}

async fn shut_down(context: &Context, state: &mut Stop) -> Result<(), StepError> {
    // One that never had a host has no guest.
    if let Some(host) = state.host_id {
        let timeout_seconds = context.control.settings().shutdown_timeout_seconds;
        let mode = ShutdownMode::Clean { timeout_seconds };
        let stopping = guest::stop_for_certain(context, state.instance_id, host, state.epoch, mode);
        context.or_cancelled(stopping).await??;
    }
    state.stopped = true;
    Ok(())
}

async fn prove_gone(context: &Context, state: &mut Stop) -> Result<(), StepError> {
    guest::prove_clients_gone(context, state.instance_id, state.epoch).await
}

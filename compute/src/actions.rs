//! What is done to guests: one file for each action.
//!
//! Each may be repeated at any time, also by the next run of the agent. A promise about epochs is on
//! disk before anything that rests on it is begun.

pub mod create;
pub mod disown;
pub mod forget;
pub mod hold_secret;
pub mod look;
pub mod pause;
pub mod read_console;
pub mod resume;
pub mod stop;
pub mod take_inventory;

use cuttle_compute_protocol::{Action, Command, Outcome, Refusal};
use cuttle_model::ids::{Epoch, InstanceId};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::epochs::{EpochError, Intent, Promise};
use crate::guest::Context;
use crate::hypervisor::HypervisorError;

/// Why an action ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// Nothing was done, and nothing should be.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    #[error(transparent)]
    Hypervisor(#[from] HypervisorError),
    #[error(transparent)]
    Epoch(#[from] EpochError),
    #[error("a domain with the UUID of instance {0} exists that was not created by Cuttle; it is left alone")]
    Foreign(InstanceId),
    #[error("the guest of instance {0} is paused because its storage failed; it cannot go on and must be stopped")]
    StorageFailed(InstanceId),
    #[error("the guest of instance {0} is still being created; its storage may be slow or away")]
    UnderWay(InstanceId),
    #[error("the control plane has not said yet how Ceph is reached")]
    NoStorage,
    #[error(
        "libvirt's secret {uuid} for {client}, which the configuration names (rbd_secret_uuid), {problem} on this host: define it and set its value, or remove rbd_user and rbd_secret_uuid from the configuration, and Cuttle keeps one by itself"
    )]
    ConfiguredSecret { uuid: Uuid, client: String, problem: &'static str },
    #[error("cannot {what} of instance {instance}: {source}")]
    Files { what: &'static str, instance: InstanceId, source: std::io::Error },
    #[error("cannot {0}: the agent is stopping")]
    Stopping(&'static str),
}

impl From<ActionError> for Outcome {
    fn from(error: ActionError) -> Self {
        let retry = match &error {
            ActionError::Refused(refusal) => return Outcome::Refused { refusal: refusal.clone() },
            ActionError::Hypervisor(error) => error.is_worth_retrying(),
            ActionError::NoStorage
            | ActionError::UnderWay(_)
            | ActionError::Stopping(_)
            | ActionError::Epoch(_)
            | ActionError::Files { .. } => true,
            ActionError::Foreign(_) | ActionError::StorageFailed(_) | ActionError::ConfiguredSecret { .. } => false,
        };
        Outcome::Failed { message: error.to_string(), retry }
    }
}

/// Carries out a command. What waits for the guest ends its wait when `hurry` is cancelled.
pub async fn carry_out(context: &Context, command: &Command, hurry: &CancellationToken) -> Outcome {
    if context.clock.now() > command.not_after {
        return Outcome::Refused { refusal: Refusal::TooLate };
    }
    let (instance, epoch) = (command.instance_id, command.epoch);
    let done = match &command.action {
        Action::CreateGuest { spec } => create::run(context, instance, epoch, spec).await,
        Action::ResumeGuest => resume::run(context, instance, epoch).await,
        Action::PauseGuest => pause::run(context, instance, epoch).await,
        Action::StopGuest { mode } => stop::run(context, instance, epoch, *mode, hurry).await,
        Action::ReadConsole { max_bytes } => read_console::run(context, instance, *max_bytes).await,
        Action::TakeInventory => take_inventory::run(context).await,
        Action::ForgetGuest => forget::run(context, instance, epoch).await,
    };
    done.unwrap_or_else(Outcome::from)
}

/// Admits an intent; the promise is on disk when this returns.
async fn admit(context: &Context, instance: InstanceId, epoch: Epoch, intent: Intent) -> Result<(), ActionError> {
    let epochs = context.epochs.clone();
    blocking("note an epoch", move || epochs.admit(instance, epoch, intent)).await??.map_err(ActionError::Refused)
}

/// What was promised about an instance.
async fn promise(context: &Context, instance: InstanceId) -> Result<Promise, ActionError> {
    let epochs = context.epochs.clone();
    Ok(blocking("read an epoch", move || epochs.get(instance)).await??)
}

/// Runs file work where it may wait for a disk.
async fn blocking<T: Send + 'static>(what: &'static str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ActionError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ActionError::Stopping(what))
}

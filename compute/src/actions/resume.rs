//! Let a guest run that was created paused: the control plane has recorded who may write.

use cuttle_compute_protocol::{Outcome, Refusal};
use cuttle_model::ids::{Epoch, InstanceId};
use cuttle_model::instance::PowerState;

use super::{ActionError, admit};
use crate::epochs::Intent;
use crate::guest::Context;
use crate::hypervisor::Found;

/// Resumes the guest of exactly this epoch. One whose storage failed stays paused: its client may be fenced.
pub async fn run(context: &Context, instance: InstanceId, epoch: Epoch) -> Result<Outcome, ActionError> {
    admit(context, instance, epoch, Intent::Resume).await?;
    match context.hypervisor.find(instance).await? {
        Found::Ours(guest) if guest.epoch > epoch => {
            return Err(ActionError::Refused(Refusal::OldEpoch { newest: guest.epoch }));
        }
        Found::Ours(guest) if guest.epoch == epoch && guest.storage_failed => {
            return Err(ActionError::StorageFailed(instance));
        }
        Found::Ours(guest) if guest.epoch == epoch && guest.power == PowerState::Unknown => {
            return Err(ActionError::UnderWay(instance));
        }
        Found::Ours(guest) if guest.epoch == epoch => {}
        Found::Ours(_) | Found::Nothing | Found::Foreign => return Err(ActionError::Refused(Refusal::NoGuest)),
    }
    context.hypervisor.resume(instance).await?;
    context.known.set(instance, epoch, PowerState::Running);
    Ok(Outcome::Guest { power: PowerState::Running })
}

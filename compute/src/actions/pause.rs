//! Let a guest stand still. Its process stays, with its memory and its disks open, so it goes on in the same epoch.

use cuttle_compute_protocol::{Outcome, Refusal};
use cuttle_model::ids::{Epoch, InstanceId};
use cuttle_model::instance::PowerState;

use super::{ActionError, admit};
use crate::epochs::Intent;
use crate::guest::Context;
use crate::hypervisor::Found;

/// Pauses the guest of exactly this epoch; one that stands still already is left so.
pub async fn run(context: &Context, instance: InstanceId, epoch: Epoch) -> Result<Outcome, ActionError> {
    // As a resume: nothing is paused whose end was promised.
    admit(context, instance, epoch, Intent::Resume).await?;
    match context.hypervisor.find(instance).await? {
        Found::Ours(guest) if guest.epoch > epoch => {
            return Err(ActionError::Refused(Refusal::OldEpoch { newest: guest.epoch }));
        }
        Found::Ours(guest) if guest.epoch == epoch && guest.power == PowerState::Unknown => {
            return Err(ActionError::UnderWay(instance));
        }
        Found::Ours(guest) if guest.epoch == epoch => {}
        Found::Ours(_) | Found::Nothing | Found::Foreign => return Err(ActionError::Refused(Refusal::NoGuest)),
    }
    context.hypervisor.pause(instance).await?;
    context.known.set(instance, epoch, PowerState::Paused);
    Ok(Outcome::Guest { power: PowerState::Paused })
}

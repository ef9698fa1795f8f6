//! Look at a guest after something may have happened to it, and tell the control plane what is new.

use cuttle_compute_protocol::GuestState;
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::PowerState;

use super::stop::Way;
use super::{ActionError, promise, stop};
use crate::guest::Context;
use crate::hypervisor::Found;

/// Looks. `ended` is how the guest ended, if an event said so. A failure is logged: all guests are
/// looked at again and again.
pub async fn run(context: &Context, instance: InstanceId, ended: Option<PowerState>) {
    if let Err(error) = look(context, instance, ended).await {
        tracing::warn!(%instance, %error, "cannot look at a guest");
    }
}

async fn look(context: &Context, instance: InstanceId, ended: Option<PowerState>) -> Result<(), ActionError> {
    let guest = match context.hypervisor.find(instance).await? {
        Found::Ours(guest) => guest,
        Found::Foreign => return Ok(()),
        Found::Nothing => {
            // Whoever ended it on purpose has said so already.
            if let Some((epoch, _)) = context.known.remove(instance) {
                let power = ended.unwrap_or(PowerState::Shutdown);
                tracing::info!(%instance, %epoch, power = power.as_str(), "a guest ended by itself");
                context.outbox.guest(GuestState { instance_id: instance, epoch, power });
            }
            return Ok(());
        }
    };
    if guest.power == PowerState::Unknown {
        // It is being created; an event will say when it is there.
        return Ok(());
    }
    let known = context.known.get(instance);
    if known.is_none() && guest.power == PowerState::Paused && guest.epoch <= promise(context, instance).await?.stopped_through {
        // A creation whose answer nobody waited for came true after the guest was stopped. It is paused,
        // since nobody can have resumed it; one that runs outlived a stop that failed, and that is for
        // the control plane to decide.
        tracing::warn!(%instance, epoch = %guest.epoch, "ending a guest that appeared after it was stopped");
        return stop::end(context, instance, guest.epoch, Way::AtOnce).await;
    }
    if known != Some((guest.epoch, guest.power)) {
        let power = guest.power;
        tracing::info!(%instance, epoch = %guest.epoch, power = power.as_str(), storage_failed = guest.storage_failed,
            "a guest changed by itself");
        context.known.set(instance, guest.epoch, power);
        context.outbox.guest(GuestState { instance_id: instance, epoch: guest.epoch, power });
    }
    Ok(())
}

//! End a guest that the control plane says is no longer this host's. Its disks are not touched.

use cuttle_compute_protocol::GuestState;
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::PowerState;

use super::stop::Way;
use super::{ActionError, admit, stop};
use crate::epochs::Intent;
use crate::guest::Context;
use crate::hypervisor::Found;

/// Ends the guest. A failure is logged: the control plane disowns it again at the next hello.
pub async fn run(context: &Context, instance: InstanceId) {
    match end(context, instance).await {
        Ok(()) => {}
        Err(error) => tracing::error!(%instance, %error, "cannot end a guest that this host no longer owns"),
    }
}

async fn end(context: &Context, instance: InstanceId) -> Result<(), ActionError> {
    let Found::Ours(guest) = context.hypervisor.find(instance).await? else {
        return Ok(());
    };
    tracing::warn!(%instance, epoch = %guest.epoch, "ending a guest that this host no longer owns");
    // Refused only where a newer epoch is known, and then nothing of this one starts anyway.
    match admit(context, instance, guest.epoch, Intent::Stop).await {
        Ok(()) | Err(ActionError::Refused(_)) => {}
        Err(error) => return Err(error),
    }
    stop::end(context, instance, guest.epoch, Way::AtOnce).await?;
    let state = GuestState { instance_id: instance, epoch: guest.epoch, power: PowerState::Shutdown };
    context.outbox.guest(state);
    Ok(())
}

//! Make sure that no guest of an instance runs here.
//!
//! Always true: before anything is ended, it is promised on disk that nothing of this epoch starts
//! again; [`Outcome::Gone`] is said only when no process exists.

use std::time::{Duration, Instant};

use cuttle_compute_protocol::{Outcome, Refusal, ShutdownMode};
use cuttle_model::ids::{Epoch, InstanceId};
use cuttle_model::instance::PowerState;
use tokio_util::sync::CancellationToken;

use super::{ActionError, admit};
use crate::epochs::Intent;
use crate::guest::Context;
use crate::hypervisor::Found;

/// How a guest is ended.
#[derive(Clone, Copy)]
pub(super) enum Way<'a> {
    AtOnce,
    /// It may shut down by itself in this time, or until somebody is in a hurry.
    Cleanly {
        timeout: Duration,
        hurry: &'a CancellationToken,
    },
}

/// Stops the guest of this epoch or an older one. In a hurry its plug is pulled without waiting for it.
pub async fn run(
    context: &Context,
    instance: InstanceId,
    epoch: Epoch,
    mode: ShutdownMode,
    hurry: &CancellationToken,
) -> Result<Outcome, ActionError> {
    admit(context, instance, epoch, Intent::Stop).await?;
    let way = match mode {
        ShutdownMode::Clean { timeout_seconds } => Way::Cleanly { timeout: Duration::from_secs(timeout_seconds), hurry },
        ShutdownMode::Force => Way::AtOnce,
    };
    end(context, instance, epoch, way).await?;
    Ok(Outcome::Gone)
}

/// Ends the guest, after the promise was made.
pub(super) async fn end(context: &Context, instance: InstanceId, epoch: Epoch, way: Way<'_>) -> Result<(), ActionError> {
    match context.hypervisor.find(instance).await? {
        Found::Foreign => return Err(ActionError::Foreign(instance)),
        Found::Ours(guest) if guest.epoch > epoch => {
            return Err(ActionError::Refused(Refusal::OldEpoch { newest: guest.epoch }));
        }
        Found::Ours(guest) => {
            // A guest whose CPUs do not run hears no button.
            if let (Way::Cleanly { timeout, hurry }, PowerState::Running) = (way, guest.power) {
                match hurry.run_until_cancelled(shut_down(context, instance, timeout)).await {
                    Some(done) => done?,
                    None => tracing::info!(%instance, "not waited for any more: the guest is to end at once"),
                }
            }
        }
        Found::Nothing => {}
    }
    context.hypervisor.destroy(instance).await?;
    context.known.remove(instance);
    Ok(())
}

/// Asks the guest to shut down until it has ended or the time is over. The button is pressed again and
/// again: a guest that is still booting does not hear the first.
async fn shut_down(context: &Context, instance: InstanceId, timeout: Duration) -> Result<(), ActionError> {
    let started = Instant::now();
    loop {
        let left = timeout.saturating_sub(started.elapsed());
        if left.is_zero() {
            tracing::info!(%instance, "the guest did not shut down in time and is destroyed");
            return Ok(());
        }
        if let Err(error) = context.hypervisor.press_power_button(instance).await {
            // The plug is pulled in the end, whether or not the button works.
            tracing::warn!(%instance, %error, "the power button does not work");
        }
        if context.hypervisor.wait_gone(instance, left.min(context.press_interval)).await? {
            return Ok(());
        }
    }
}

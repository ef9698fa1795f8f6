//! Another host, where the guest could not be made on the one that was chosen.
//!
//! Always true: the instance leaves a host only after that host's agent has said that nothing of this epoch runs there and
//! nothing will, and after Ceph lists none of its clients. A host that does not answer is not left: that is no failure.

use cuttle_database::{Elsewhere, NewPlace};
use cuttle_model::fault::Fault;
use cuttle_model::host::HostName;

use super::making::Create;
use crate::RequestError;
use crate::engine::{Context, StepError, Steps};
use crate::guest;
use crate::placement::{self, Ask};

/// What becomes of a step that failed on this host: it is tried again on another one, or has failed for good.
pub(super) async fn go_on(context: &Context, state: &mut Create, fault: Fault) -> StepError {
    let limit = context.control.settings().scheduler.max_attempts;
    if u32::try_from(state.tried.len()).unwrap_or(u32::MAX).saturating_add(1) >= limit {
        return StepError::Failed(fault);
    }
    match guest::make_void(context, state.instance_id, state.host_id, state.epoch).await {
        Ok(()) => {}
        // The first reason is the one that counts; undoing tries this again, and says what becomes of it.
        Err(StepError::Failed(why)) => {
            tracing::warn!(instance = %state.instance_id, reason = %why, "not left for another host");
            return StepError::Failed(fault);
        }
        Err(error) => return error,
    }
    match leave(context, state, &fault).await {
        Ok(Some(host)) => StepError::retry(fault.kind, format!("{}; it goes on with {host}", fault.message)),
        Ok(None) => StepError::Failed(fault),
        Err(error) => error,
    }
}

/// Gives the instance another host and epoch; none if there is no host.
async fn leave(context: &Context, state: &mut Create, fault: &Fault) -> Result<Option<HostName>, StepError> {
    let control = &context.control;
    let image = control.database().get_image(state.image_id).await?;
    let image_properties = image.map(|image| image.properties).unwrap_or_default();
    let mut excluded: Vec<_> = state.tried.iter().copied().chain([state.host_id]).collect();
    loop {
        let instance = context.instance().await?;
        let ask = Ask {
            image_properties: &image_properties,
            target: state.wishes.target,
            excluded: &excluded,
            same_host: state.wishes.same_host.as_deref(),
            different_host: &state.wishes.different_host,
            // Its disks are made.
            disk_bytes: 0,
            ..Ask::for_instance(&instance, &state.flavor)
        };
        let placed = match placement::choose(control, &ask).await {
            Ok(Ok(placed)) => placed,
            Ok(Err(refusal)) => {
                tracing::info!(instance = %state.instance_id, reason = %fault, no_other = %refusal.text, "no other host");
                return Ok(None);
            }
            Err(RequestError::Database(error)) => return Err(error.into()),
            Err(_) => return Ok(None),
        };
        let record = ask.record(control, Create::KIND, Some(context.operation), placed.reasons);
        let place = NewPlace { expected: state.epoch, placement: placed.placement, record };
        match control.database().begin_epoch_elsewhere(&place, &context.guard).await? {
            Elsewhere::Begun(epoch) => {
                tracing::info!(instance = %state.instance_id, reason = %fault, host = %placed.host, "goes on with another host");
                state.moved_to(placed.host_id, placed.failed_builds > 0);
                state.epoch = epoch;
                return Ok(Some(placed.host));
            }
            Elsewhere::HostFull => excluded.push(placed.host_id),
            Elsewhere::LeaseLost => return Err(StepError::LeaseLost),
            // A delete has come in between, or a client was found after all.
            Elsewhere::Stale => return Ok(None),
        }
    }
}

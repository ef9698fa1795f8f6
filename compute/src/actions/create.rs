//! Create a guest, paused.
//!
//! Always true: when it is created, no process of the instance's older epochs exists, and the
//! hypervisor holds the host's key.

use cuttle_compute_protocol::{GuestSpec, Outcome, Refusal};
use cuttle_model::ids::{Epoch, InstanceId};
use cuttle_model::instance::PowerState;

use super::{ActionError, admit, blocking, hold_secret};
use crate::domain_xml::Blueprint;
use crate::epochs::Intent;
use crate::guest::Context;
use crate::hypervisor::Found;

/// Creates the guest of this epoch, or finds that it is there.
pub async fn run(context: &Context, instance: InstanceId, epoch: Epoch, spec: &GuestSpec) -> Result<Outcome, ActionError> {
    let reach = context.storage.get().ok_or(ActionError::NoStorage)?;
    admit(context, instance, epoch, Intent::Create).await?;
    match context.hypervisor.find(instance).await? {
        // It is not there yet: whoever looked for its clients now would find none.
        Found::Ours(guest) if guest.epoch == epoch && guest.power == PowerState::Unknown => {
            return Err(ActionError::UnderWay(instance));
        }
        Found::Ours(guest) if guest.epoch == epoch => {
            context.known.set(instance, epoch, guest.power);
            return Ok(Outcome::Guest { power: guest.power });
        }
        Found::Ours(guest) if guest.epoch > epoch => {
            return Err(ActionError::Refused(Refusal::OldEpoch { newest: guest.epoch }));
        }
        Found::Foreign => return Err(ActionError::Foreign(instance)),
        Found::Ours(guest) => tracing::warn!(%instance, old = %guest.epoch, new = %epoch, "ending a guest of an older epoch"),
        Found::Nothing => {}
    }
    // Three things that do not depend on each other, and that a user waits for.
    let make_directory = async {
        let state = context.state.clone();
        let made = blocking("make a directory", move || state.make_instance(instance)).await?;
        made.map_err(|source| ActionError::Files { what: "make the directory", instance, source })
    };
    // Also where libvirt knows of nothing: only this proves that no process is left.
    let destroy = async { Ok(context.hypervisor.destroy(instance).await?) };
    let hold_secret = hold_secret::run(context, &reach.access);
    tokio::try_join!(destroy, make_directory, hold_secret)?;
    context.known.remove(instance);
    let blueprint = Blueprint {
        instance_id: instance,
        epoch,
        spec: spec.clone(),
        ceph: reach.ceph.clone(),
        ceph_client: reach.access.client().to_owned(),
        secret_uuid: reach.access.secret_uuid(),
        machine: context.machine.clone(),
        librbd_conf: context.librbd_conf.path(),
        console_log: context.state.console_log(instance),
    };
    context.hypervisor.create(&blueprint).await?;
    context.known.set(instance, epoch, PowerState::Paused);
    Ok(Outcome::Guest { power: PowerState::Paused })
}

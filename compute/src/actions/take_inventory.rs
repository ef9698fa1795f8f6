//! Say what is on this host. It is about no instance and asks for no epoch: reading changes nothing.

use cuttle_compute_protocol::{GuestState, Inventory, Outcome};

use super::ActionError;
use crate::guest::Context;
use crate::hypervisor::Guest;

/// Looks at the world itself, not at what was told of it before.
pub async fn run(context: &Context) -> Result<Outcome, ActionError> {
    let guests = context.hypervisor.guests().await?;
    let secrets = context.hypervisor.ceph_secrets().await?;
    let state = |guest: Guest| GuestState { instance_id: guest.instance_id, epoch: guest.epoch, power: guest.power };
    let inventory = Inventory { guests: guests.into_iter().map(state).collect(), secrets };
    Ok(Outcome::Inventory { inventory: Box::new(inventory) })
}

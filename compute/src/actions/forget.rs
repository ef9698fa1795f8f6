//! The instance was deleted: end its guest and remove what the host keeps of it. Its disk is not the
//! host's business. The promise about its epochs stays for a while, so that late commands are refused.

use cuttle_compute_protocol::Outcome;
use cuttle_model::ids::{Epoch, InstanceId};

use super::stop::Way;
use super::{ActionError, admit, blocking, stop};
use crate::epochs::Intent;
use crate::guest::Context;

/// Forgets the instance.
pub async fn run(context: &Context, instance: InstanceId, epoch: Epoch) -> Result<Outcome, ActionError> {
    admit(context, instance, epoch, Intent::Forget(context.clock.now())).await?;
    stop::end(context, instance, epoch, Way::AtOnce).await?;
    let state = context.state.clone();
    blocking("remove a directory", move || state.remove_instance(instance)).await?.map_err(|source| ActionError::Files {
        what: "remove the directory",
        instance,
        source,
    })?;
    Ok(Outcome::Gone)
}

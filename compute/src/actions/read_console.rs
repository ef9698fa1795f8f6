//! Send the end of the serial console's log. It asks for no epoch: reading changes nothing.

use cuttle_compute_protocol::Outcome;
use cuttle_model::ids::InstanceId;

use super::{ActionError, blocking};
use crate::console;
use crate::guest::Context;

/// Reads at most `max_bytes`, and never more than the configuration allows.
pub async fn run(context: &Context, instance: InstanceId, max_bytes: u64) -> Result<Outcome, ActionError> {
    let log = context.state.console_log(instance);
    let max_bytes = max_bytes.min(context.console_max_bytes);
    let text = blocking("read a console log", move || console::tail(&log, max_bytes))
        .await?
        .map_err(|source| ActionError::Files { what: "read the console log", instance, source })?;
    Ok(Outcome::Console { text })
}

//! The end of a guest's serial console, as its host has it.

use std::time::Duration;

use cuttle_compute_protocol::{Action, Command, Outcome};
use cuttle_model::ids::CommandId;
use cuttle_model::instance::Instance;

use crate::agent::ask;
use crate::{Control, RequestError};

/// How long a user waits for a console at the most.
const PATIENCE: Duration = Duration::from_secs(10);

/// The console's last `max_bytes`. Empty where the instance has no host.
pub async fn read(control: &Control, instance: &Instance, max_bytes: u64) -> Result<String, RequestError> {
    let Some(host) = instance.host_id else { return Ok(String::new()) };
    let command = Command {
        id: CommandId::new(control.ids()),
        instance_id: instance.id,
        epoch: instance.epoch,
        action: Action::ReadConsole { max_bytes },
        not_after: control.now().plus(PATIENCE),
    };
    match ask(control, host, &command, PATIENCE).await? {
        Some(Outcome::Console { text }) => Ok(text),
        Some(Outcome::Failed { message, .. }) => Err(RequestError::HostFailed(message)),
        Some(Outcome::Refused { .. } | Outcome::Inventory { .. } | Outcome::Gone | Outcome::Guest { .. }) => Ok(String::new()),
        None => Err(RequestError::HostSilent),
    }
}

//! Asking a host's agent to do something, and waiting for its report.

use std::time::Duration;

use cuttle_compute_protocol::{Action, Command, Outcome, Refusal};
use cuttle_database::Event;
use cuttle_model::fault::FaultKind;
use cuttle_model::ids::{CommandId, Epoch, HostId, InstanceId};
use cuttle_model::instance::PowerState;
use uuid::Uuid;

use crate::Control;
use crate::engine::{Context, StepError};
use crate::events::wait_for;

/// Stores a command, waits for its report, and withdraws it if none comes within `patience`.
/// `None`: no report came. Whether the agent did it is then not known.
pub(crate) async fn ask(
    control: &Control,
    host: HostId,
    command: &Command,
    patience: Duration,
) -> cuttle_database::Result<Option<Outcome>> {
    // Also where nobody waits for it any more: what was asked for and then cancelled must not be begun later.
    let mut asked = Asked { control, command: Some(command.id) };
    let outcome = ask_and_leave(control, host, command, patience).await?;
    asked.command = None;
    if outcome.is_none() {
        control.database().withdraw_command(command.id).await?;
    }
    Ok(outcome)
}

/// A command that somebody waits for. Dropped before its end, it is withdrawn.
struct Asked<'a> {
    control: &'a Control,
    command: Option<CommandId>,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let (Some(command), Ok(runtime)) = (self.command, tokio::runtime::Handle::try_current()) else { return };
        let control = self.control.clone();
        runtime.spawn(async move {
            if let Err(error) = control.database().withdraw_command(command).await {
                tracing::warn!(%command, %error, "a command that nobody waits for could not be withdrawn");
            }
        });
    }
}

/// As [`ask`], but a command without a report stays: the agent is given it whenever it comes back.
pub(crate) async fn ask_and_leave(
    control: &Control,
    host: HostId,
    command: &Command,
    patience: Duration,
) -> cuttle_database::Result<Option<Outcome>> {
    let database = control.database();
    database.insert_command(host, command).await?;
    let id = command.id;
    let reported = wait_for(database, |event| event == Event::Report(id), || database.get_report(id));
    match tokio::time::timeout(patience, reported).await {
        Ok(report) => Ok(Some(report?.outcome)),
        Err(_) => Ok(None),
    }
}

/// Asks as part of a step. A silent or failing agent is an error that is tried again where that can help.
pub(crate) async fn ask_in_step(
    context: &Context,
    host: HostId,
    instance: InstanceId,
    epoch: Epoch,
    action: Action,
    patience: Duration,
) -> Result<Answer, StepError> {
    let name = action.name();
    let not_after = context.control.now().plus(patience);
    let command = Command { id: command_id(context, name, epoch), instance_id: instance, epoch, action, not_after };
    match ask(&context.control, host, &command, patience).await? {
        Some(Outcome::Guest { power }) => Ok(Answer::Guest(power)),
        Some(Outcome::Gone) => Ok(Answer::Gone),
        Some(Outcome::Refused { refusal: Refusal::TooLate }) | None => Err(StepError::retry(
            FaultKind::Unknown,
            format!("the host's agent did not answer '{name}' within {} s", patience.as_secs()),
        )),
        Some(Outcome::Refused { refusal: Refusal::NoGuest }) => Ok(Answer::NoGuest),
        Some(Outcome::Refused { refusal: Refusal::OldEpoch { newest } }) => Err(StepError::failed(
            FaultKind::Internal,
            format!("the host's agent refused '{name}' of epoch {epoch}: it knows epoch {newest}"),
        )),
        Some(Outcome::Failed { message, retry: true }) => Err(StepError::retry(FaultKind::Hypervisor, message)),
        Some(Outcome::Failed { message, retry: false }) => Err(StepError::failed(FaultKind::Hypervisor, message)),
        Some(Outcome::Console { .. } | Outcome::Inventory { .. }) => {
            Err(StepError::failed(FaultKind::Internal, format!("the host's agent answered '{name}' with something else")))
        }
    }
}

/// What an agent did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Guest(PowerState),
    Gone,
    /// There was no guest to do it to.
    NoGuest,
}

/// The same for the same attempt, so that a step that is resumed asks for the same thing; another for
/// the next attempt, because the report of a failed command stands, and for another epoch.
fn command_id(context: &Context, action: &str, epoch: Epoch) -> CommandId {
    let name = format!("{action} {epoch} {}", context.attempt());
    CommandId::from_uuid(Uuid::new_v5(&context.operation.as_uuid(), name.as_bytes()))
}

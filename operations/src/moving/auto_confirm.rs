//! Confirming what nobody has confirmed or reverted for long enough, where the configuration says so.

use std::time::Duration;

use cuttle_database::InstanceQuery;
use cuttle_model::ids::RequestId;
use cuttle_model::instance::{InstanceState, StateName};
use cuttle_model::machine::Request;

use tokio_util::sync::CancellationToken;

use crate::{Control, RequestError, Requester, power};

/// How often is looked at the most.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Confirms until `shutdown`.
pub(crate) async fn run(control: &Control, shutdown: &CancellationToken) {
    let window = Duration::from_secs(control.settings().resize_confirm_seconds);
    if window.is_zero() {
        return;
    }
    let mut tick = tokio::time::interval(window.min(LOOK_EVERY));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = confirm_overdue(control, window).await {
            tracing::warn!(%error, "overdue moves could not be confirmed");
        }
    }
}

/// Confirms all that are overdue. Every control node may do it at once: one of them begins each.
async fn confirm_overdue(control: &Control, window: Duration) -> cuttle_database::Result<()> {
    let query = InstanceQuery { states: vec![StateName::Resized], ..InstanceQuery::default() };
    for instance in control.database().list_instances(&query).await? {
        let InstanceState::Resized { before } = &instance.state else { continue };
        if instance.task.is_some() || control.now() < before.moved_at.plus(window) {
            continue;
        }
        let who =
            Requester { project_id: instance.project_id, user_id: instance.user_id, request_id: RequestId::new(control.ids()) };
        match power::request(control, &who, instance.id, Request::ConfirmResize).await {
            Ok(()) => tracing::info!(instance = %instance.id, "confirmed: nobody said otherwise in time"),
            Err(RequestError::Database(error)) => return Err(error),
            // Whoever was faster has decided.
            Err(error) => tracing::info!(instance = %instance.id, %error, "not confirmed"),
        }
    }
    Ok(())
}

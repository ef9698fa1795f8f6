//! The agent's side of its conversation with the control plane.
//!
//! ```text
//!   dial ─► hello ─► beats      every interval
//!    ▲               commands   a stream, into the guests' queues
//!    │               reports    out of the outbox, until they are taken
//!    │               guests     out of the outbox, the latest state of each
//!    └── backoff ◄── whichever of these fails first
//! ```
//! Always true: the agent dials, nobody dials it; a report leaves the outbox only when the control
//! plane has taken it; the host's keys appear in no error and no log.

mod backoff;
mod dial;
mod lines;
mod outbox;
mod renewal;
mod session;
mod tls;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::guest::{Context, Guests};
use crate::identity::Identity;
pub use backoff::{Backoff, chance};
pub use dial::{Dialer, LinkError, dial_to_join};
pub use outbox::Outbox;
use renewal::Renewal;
pub use session::Introduction;
use session::{Session, SessionEnd};

/// Talks to one control node after the other until told to stop.
pub async fn run(
    dialer: &Dialer,
    control: &[String],
    guests: &Guests,
    introduction: &Arc<Introduction>,
    stop: &CancellationToken,
) {
    let mut backoff = Backoff::default();
    for url in control.iter().cycle() {
        let talk = async {
            let (link, identity) = dialer.dial(url).await.map_err(SessionEnd::Link)?;
            let renewal = Renewal::new(identity, dialer.identity.clone());
            Session::new(link, renewal, guests.clone(), Arc::clone(introduction)).run(&mut backoff).await
        };
        let end = tokio::select! {
            () = stop.cancelled() => return,
            end = talk => end,
        };
        if let Err(end) = end {
            tracing::warn!(url, %end, "not connected to the control plane");
            warn_of_expiry(dialer, guests.context());
            if end.is_lockout() {
                forget_keys(guests.context()).await;
            }
        }
        let pause = backoff.next(chance());
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Whoever shows a certificate that has expired is not even told so.
fn warn_of_expiry(dialer: &Dialer, context: &Context) {
    if let Ok(Some(identity)) = Identity::load(&dialer.identity)
        && identity.expires_at < context.clock.now()
    {
        let at = identity.expires_at.to_seconds_z();
        tracing::error!(
            at,
            "the host's certificate has expired: start the agent with a token of `cuttle host rejoin {}`",
            identity.host
        );
    }
}

/// This host is not part of the cloud any more, or not yet again: nothing is started, and the keys that it
/// was given go. What runs, runs on; a welcome brings all of it back.
async fn forget_keys(context: &Context) {
    context.storage.clear();
    context.health.want(None);
    if let Err(error) = context.hypervisor.forget_secrets_but(&[]).await {
        tracing::warn!(%error, "libvirt's secrets cannot be forgotten yet");
    }
}

//! The host's next certificate: asked for in time, over the connection that shows the present one.
//!
//! Always true: the next one is for a new key, and takes the place of the present one in one step, when
//! it is there. As long as it is not, the present one is used, and asking goes on.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cuttle_compute_protocol::{Joined, Renew, path};
use cuttle_model::clock::Timestamp;

use super::dial::{Link, LinkError};
use crate::identity::{Identity, IdentityError, NewKey};

/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(60);

/// When and how the next certificate is got.
pub struct Renewal {
    identity: Identity,
    path: PathBuf,
    /// Microseconds since 1970.
    next_attempt: AtomicI64,
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl Renewal {
    /// Of the identity that is kept in this file.
    pub fn new(identity: Identity, path: PathBuf) -> Self {
        let next_attempt = AtomicI64::new(identity.renew_at.as_micros());
        Self { identity, path, next_attempt }
    }

    /// Whether it is time.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now.as_micros() >= self.next_attempt.load(Ordering::Relaxed)
    }

    /// Gets the next certificate; answers whether the host has it.
    pub async fn run(&self, link: &Link, now: Timestamp) -> bool {
        self.next_attempt.store(now.plus(PAUSE).as_micros(), Ordering::Relaxed);
        match self.renew(link).await {
            Ok(until) => {
                tracing::info!(until = until.to_seconds_z(), "the host's certificate was renewed");
                true
            }
            Err(error) => {
                let until = self.identity.expires_at.to_seconds_z();
                tracing::warn!(%error, until, "the host's certificate was not renewed; it is tried again");
                false
            }
        }
    }

    async fn renew(&self, link: &Link) -> Result<Timestamp, Failed> {
        let key = NewKey::make()?;
        let joined: Joined = link.post(path::CERTIFICATE, &Renew { request: key.request.clone() }).await?;
        let next = Identity::joined(self.identity.host.clone(), key, self.identity.token_sha256.clone(), joined);
        next.store(&self.path)?;
        Ok(next.expires_at)
    }
}

//! What every route needs: the database, the clock, ids and a few settings. No Ceph.

use std::net::IpAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cuttle_database::Database;
use cuttle_model::clock::{Clock, Timestamp};
use cuttle_model::ids::Ids;
use cuttle_model::quota::Amounts;
use cuttle_operations::Control;
use cuttle_operations::join::Registry;
use tokio_util::sync::CancellationToken;

use crate::authority::Authority;
use crate::identity::passwords::Passwords;
use crate::identity::throttle::Throttle;
use crate::identity::tokens::cache::TokenCache;

/// Shared by all routes; cloning is cheap.
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

struct Inner {
    parts: Parts,
    tokens: TokenCache,
    throttle: Throttle,
}

/// What a [`Shared`] is made of.
pub struct Parts {
    pub database: Database,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub passwords: Passwords,
    /// Signs the certificates of hosts.
    pub authority: Arc<Authority>,
    /// What catalogs and links say; `None`: what the request was sent to.
    pub public_url: Option<String>,
    pub region: String,
    pub token_lifetime: Duration,
    /// A host that was silent for so long is shown as down.
    pub host_down_after: Duration,
    pub limits: Limits,
    /// Answers that have no end, end when this is cancelled.
    pub stopping: CancellationToken,
    /// The availability zone of hosts that are in no aggregate with one.
    pub default_zone: String,
    /// Limits where none was set.
    pub quota: Amounts,
    /// The agents' authority and the server's certificate, for the doctor to look at.
    pub tls_directory: PathBuf,
}

/// How much is remembered of callers, and how long.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a token that another node has voided may be let in at the most.
    pub token_cache_age: Duration,
    pub token_cache_entries: usize,
    /// Wrong passwords for one user from one address; 0: any number.
    pub failed_logins_per_minute: u16,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            token_cache_age: Duration::from_secs(10),
            token_cache_entries: 10_000,
            failed_logins_per_minute: 10,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Shared {
    pub fn new(parts: Parts) -> Self {
        let limits = &parts.limits;
        let tokens = TokenCache::new(&parts.database, limits.token_cache_entries, limits.token_cache_age);
        let throttle = Throttle::new(limits.failed_logins_per_minute);
        Self(Arc::new(Inner { parts, tokens, throttle }))
    }

    /// What tokens grant.
    pub fn tokens(&self) -> &TokenCache {
        &self.0.tokens
    }

    /// Who may guess passwords.
    pub fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    /// What hosts join with.
    pub fn registry(&self) -> Registry<'_> {
        Registry { database: &self.database, clock: self.clock.as_ref(), ids: self.ids.as_ref() }
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }
}

impl Deref for Shared {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

/// For routes that change something in the cluster.
#[derive(Clone)]
pub struct Controlled {
    pub shared: Shared,
    pub control: Control,
}

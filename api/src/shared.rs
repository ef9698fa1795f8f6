//! What every route needs: the database, the clock, ids and a few settings. No Ceph.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use cuttle_database::Database;
use cuttle_model::clock::{Clock, Timestamp};
use cuttle_model::ids::Ids;
use cuttle_operations::Control;

use crate::identity::passwords::Passwords;

/// Shared by all routes; cloning is cheap.
#[derive(Clone)]
pub struct Shared(Arc<Parts>);

/// What a [`Shared`] is made of.
pub struct Parts {
    pub database: Database,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub passwords: Passwords,
    /// What catalogs and links say; `None`: what the request was sent to.
    pub public_url: Option<String>,
    pub region: String,
    pub token_lifetime: Duration,
    /// A host that was silent for so long is shown as down.
    pub host_down_after: Duration,
}

impl Shared {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}

impl Deref for Shared {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// For routes that change something in the cluster.
#[derive(Clone)]
pub struct Controlled {
    pub shared: Shared,
    pub control: Control,
}

//! What the control plane works with: database, Ceph, clock, ids and limits, in one handle.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cuttle_compute_protocol::CephConnection;
use cuttle_database::Database;
use cuttle_model::capacity::PoolAccount;
use cuttle_model::clock::{Clock, Timestamp};
use cuttle_model::ids::{ControlNodeId, Ids, ProjectId, RequestId, UserId};
use cuttle_model::storage_health::HealthLimits;
use cuttle_rbd_backend::{Connect, Storage};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::config_drive::ConfigDrivePolicy;
use crate::config_drive::password::AdminPasswords;
use crate::engine::{Engine, Probe};
use crate::host_keys::HostKeyring;
use crate::image::Uploads;
use crate::join::Registry;
use crate::liveness::Beats;
use crate::membership::{self, Membership};
use crate::placement::{Cache, Locality};
use crate::{liveness, moving, purge};

/// Everything that the control plane works with. Cloning is cheap.
#[derive(Clone)]
pub struct Control(Arc<Inner>);

struct Inner {
    parts: Parts,
    membership: Membership,
    engine: Engine,
    beats: Beats,
    keyring: HostKeyring,
    uploads: Uploads,
    admin_passwords: AdminPasswords,
    placement_cache: Cache,
    locality: Locality,
    pool: Mutex<Option<PoolAccount>>,
    connection: Mutex<Option<CephConnection>>,
}

/// What a [`Control`] is made of.
pub struct Parts {
    pub database: Database,
    /// The connection to begin with.
    pub ceph: Arc<dyn Storage>,
    /// How to make another one, after this one was fenced.
    pub connect: Arc<dyn Connect>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub settings: Settings,
    /// What tests put around each attempt at a step. `None` in production.
    pub probe: Option<Arc<dyn Probe>>,
}

/// Why this process cannot become a control node.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error(transparent)]
    Ceph(#[from] cuttle_rbd_backend::Error),
    #[error(transparent)]
    Database(#[from] cuttle_database::Error),
}

/// Names and limits, all from the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub images_pool: String,
    pub vms_pool: String,
    pub volumes_pool: String,
    /// The pool of the hosts' lease objects.
    pub lease_pool: String,
    /// How often an agent shows that it lives.
    pub beat_interval_ms: u64,
    /// A host that was not heard of for so long takes no instance.
    pub host_down_after_seconds: u64,
    /// How long a guest may take to shut down before its plug is pulled.
    pub shutdown_timeout_seconds: u64,
    /// After so long, a move that nobody confirmed or reverted is confirmed; 0: never.
    pub resize_confirm_seconds: u64,
    /// How many instances of a host that is drained are moved at once, where the request does not say.
    pub drain_parallel: u32,
    /// Which instances have a config drive.
    pub config_drive: ConfigDrivePolicy,
    /// What every config drive carries beside the instance's own data: cloud-init takes `cloud-init` of it
    /// as a part of the user data.
    pub vendor_data: serde_json::Map<String, serde_json::Value>,
    /// How long what was deleted stays in the trash.
    pub trash_delay_seconds: u64,
    /// How long a control node may be silent before others take its operations over.
    pub lease_seconds: u64,
    /// How long an agent may take for a command that does not wait for the guest.
    pub command_timeout_seconds: u64,
    /// How long a delete waits for the host before it goes on without it.
    pub delete_patience_seconds: u64,
    /// How often a step is tried before it has failed.
    pub step_attempts: u32,
    /// The wait before the second attempt; it doubles with each further one.
    pub retry_delay_ms: u64,
    /// How often the trash is looked through.
    pub purge_interval_seconds: u64,
    /// The largest image, in GiB: of an upload, and of the disk that it becomes.
    pub max_image_gib: u64,
    /// How often it is looked whether hosts' older keys are still in use.
    pub key_check_seconds: u64,
    /// How many operations one control node works on at once.
    pub concurrent_operations: usize,
    /// How hosts are chosen.
    pub scheduler: cuttle_scheduler::Settings,
    /// How hosts measure storage, and what counts as bad.
    pub storage_health: HealthLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            images_pool: "images".into(),
            vms_pool: "vms".into(),
            volumes_pool: "volumes".into(),
            lease_pool: "cuttle".into(),
            beat_interval_ms: 1000,
            host_down_after_seconds: 10,
            shutdown_timeout_seconds: 60,
            resize_confirm_seconds: 0,
            drain_parallel: 4,
            config_drive: ConfigDrivePolicy::WhenNeeded,
            vendor_data: serde_json::Map::new(),
            trash_delay_seconds: 3600,
            lease_seconds: 15,
            command_timeout_seconds: 60,
            delete_patience_seconds: 20,
            step_attempts: 10,
            retry_delay_ms: 250,
            purge_interval_seconds: 60,
            max_image_gib: 1024,
            key_check_seconds: 60,
            concurrent_operations: 64,
            scheduler: cuttle_scheduler::Settings::default(),
            storage_health: HealthLimits::default(),
        }
    }
}

/// Who asks for something.
#[derive(Debug, Clone)]
pub struct Requester {
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub request_id: RequestId,
}

impl Control {
    /// A control node of its own, with an id that no earlier one had. From here on others may fence it.
    pub async fn join(parts: Parts) -> Result<Self, JoinError> {
        let engine = Engine::new(parts.settings.concurrent_operations);
        let membership = Membership::join(&parts).await?;
        Ok(Self(Arc::new(Inner {
            parts,
            membership,
            engine,
            beats: Beats::default(),
            keyring: HostKeyring::default(),
            uploads: Uploads::default(),
            admin_passwords: AdminPasswords::default(),
            placement_cache: Cache::default(),
            locality: Locality::default(),
            pool: Mutex::new(None),
            connection: Mutex::new(None),
        })))
    }

    /// Does what a control node does by itself, until `shutdown`: takes operations up, keeps their
    /// leases, stores beats, purges the trash. Spawn it once.
    pub async fn run(&self, shutdown: CancellationToken) {
        tokio::join!(
            self.0.engine.run(self, &shutdown),
            liveness::run(self, &shutdown),
            purge::run(self, &shutdown),
            moving::confirm_overdue(self, &shutdown)
        );
        membership::leave(self, || self.0.engine.is_idle()).await;
    }

    /// One round of what [`Self::run`] does every `purge_interval_seconds`.
    pub async fn purge(&self) {
        purge::once(self).await;
    }

    pub fn database(&self) -> &Database {
        &self.0.parts.database
    }

    /// The connection to Ceph as it is now; do not keep it, another may take its place.
    pub fn ceph(&self) -> Arc<dyn Storage> {
        self.0.membership.ceph()
    }

    pub fn clock(&self) -> &dyn Clock {
        self.0.parts.clock.as_ref()
    }

    pub fn ids(&self) -> &dyn Ids {
        self.0.parts.ids.as_ref()
    }

    pub fn settings(&self) -> &Settings {
        &self.0.parts.settings
    }

    /// What hosts join with.
    pub fn registry(&self) -> Registry<'_> {
        Registry { database: self.database(), clock: self.clock(), ids: self.ids() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }

    pub(crate) fn node(&self) -> ControlNodeId {
        self.0.membership.id()
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    pub(crate) fn membership(&self) -> &Membership {
        &self.0.membership
    }

    pub(crate) fn probe(&self) -> Option<Arc<dyn Probe>> {
        self.0.parts.probe.clone()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn beats(&self) -> &Beats {
        &self.0.beats
    }

    pub(crate) fn keyring(&self) -> &HostKeyring {
        &self.0.keyring
    }

    /// The passwords that this node has yet to put on config drives.
    pub(crate) fn admin_passwords(&self) -> &AdminPasswords {
        &self.0.admin_passwords
    }

    /// The hosts as placement saw them a moment ago.
    pub(crate) fn placement_cache(&self) -> &Cache {
        &self.0.placement_cache
    }

    /// Which hosts are near to which pools.
    pub(crate) fn locality(&self) -> &Locality {
        &self.0.locality
    }

    pub(crate) fn uploads(&self) -> &Uploads {
        &self.0.uploads
    }

    /// The account of the pool of disks, as it was a moment ago.
    pub(crate) fn pool_account(&self) -> Option<PoolAccount> {
        *self.0.pool.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn set_pool_account(&self, account: Option<PoolAccount>) {
        *self.0.pool.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = account;
    }

    /// Where Ceph's monitors are, as it was a moment ago; `None` before it was first asked.
    pub(crate) fn ceph_connection(&self) -> Option<CephConnection> {
        self.0.connection.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    pub(crate) fn set_ceph_connection(&self, connection: CephConnection) {
        *self.0.connection.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(connection);
    }
}

impl Settings {
    /// What is wrong with it, if anything: the key, and why.
    pub fn problem(&self) -> Option<String> {
        let in_section = |problem| format!("[operations.storage_health] {problem}");
        self.scheduler.problem().or(self.storage_health.problem().map(in_section))
    }

    pub(crate) fn host_down_after(&self) -> Duration {
        Duration::from_secs(self.host_down_after_seconds)
    }

    pub(crate) fn command_timeout(&self) -> Duration {
        Duration::from_secs(self.command_timeout_seconds)
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }

    pub(crate) fn image_limit_bytes(&self) -> u64 {
        self.max_image_gib.saturating_mul(1 << 30)
    }

    pub(crate) fn trash_delay(&self) -> Duration {
        Duration::from_secs(self.trash_delay_seconds)
    }

    /// The wait after this many vain attempts.
    pub(crate) fn backoff(&self, attempts: u32) -> Duration {
        let doubled = self.retry_delay_ms.saturating_mul(1 << attempts.saturating_sub(1).min(6));
        Duration::from_millis(doubled.min(10_000))
    }
}

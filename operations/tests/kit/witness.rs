//! A witness of each guest, who looks in the moment in which something happens: what is there when all is over does not
//! tell in which order it came about.
//!
//! - Before a guest's processors run: the database allows this epoch, and names every client of the guest's disks.
//! - While a client that was recorded still has its watch, which outlives its process: its record is not closed.
//!
//! It goes between the agent and any hypervisor. What it has seen against the rules is read with [`Witness::complaints`].

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cuttle_compute::domain_xml::Blueprint;
use cuttle_compute::hypervisor::{Found, Guest, Healed, Hypervisor, HypervisorError, Node, SecretState};
use cuttle_compute::secret::CephSecret;
use cuttle_compute_protocol::HeldSecret;
use cuttle_database::{Database, Options};
use cuttle_fakes::Watches;
use cuttle_model::ids::InstanceId;
use cuttle_rbd_backend::Storage;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// For how long a client's watch outlives its process: long enough for whoever does not look to come too early, and not
/// so long that whoever looks again and again gives up.
const WATCH_OUTLIVES: Duration = Duration::from_millis(25);

/// What it looks with.
pub struct Witness {
    database_url: String,
    database: OnceCell<Database>,
    storage: Arc<dyn Storage>,
    pool: String,
    /// The clients of every guest that was ever let run.
    ran: Mutex<BTreeSet<String>>,
    /// Processes that have ended, whose watches are still there.
    outliving: AtomicUsize,
    complaints: Mutex<Vec<String>>,
}

impl Witness {
    pub fn new(database_url: String, storage: Arc<dyn Storage>, pool: String) -> Arc<Self> {
        let (ran, outliving, complaints) = (Mutex::default(), AtomicUsize::new(0), Mutex::default());
        Arc::new(Self { database_url, database: OnceCell::new(), storage, pool, ran, outliving, complaints })
    }

    /// What was against the rules.
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap().clone()
    }

    /// How many processes that have ended still have their watches.
    pub fn outliving(&self) -> usize {
        self.outliving.load(Ordering::SeqCst)
    }

    fn complain(&self, what: String) {
        self.complaints.lock().unwrap().push(what);
    }

    /// Migrated by the first control node, which is there before any guest.
    async fn database(&self) -> &Database {
        let connect = || async { cuttle_database::connect(&self.database_url, None, &Options::default()).await.unwrap() };
        self.database.get_or_init(connect).await
    }

    /// Whether this guest may run now.
    async fn look_before_it_runs(&self, guest: &Guest) {
        let id = guest.instance_id;
        let Some(instance) = self.database().await.get_instance(id).await.unwrap() else { return };
        if instance.running_allowed != Some(guest.epoch) {
            let allowed = instance.running_allowed;
            self.complain(format!("a guest of epoch {} of {id} was let run while {allowed:?} is allowed", guest.epoch));
        }
        let recorded = self.database().await.open_clients(id).await.unwrap();
        let pool = self.storage.pool(&self.pool);
        let disks = pool.list_images().await.unwrap().into_iter().filter(|image| image.name.starts_with(&id.to_string()));
        for disk in disks {
            for watcher in pool.watchers_by_id(&disk.id).await.unwrap().unwrap_or_default() {
                let is_named = recorded
                    .iter()
                    .any(|client| (&client.image_id, &client.address, client.epoch) == (&disk.id, &watcher.address, guest.epoch));
                if !is_named {
                    self.complain(format!("a guest was let run before its client was recorded: {watcher:?} of {}", disk.name));
                }
                self.ran.lock().unwrap().insert(watcher.address);
            }
        }
    }

    /// Keeps the watches of a process that has ended for a while, as Ceph does, and looks before they go.
    pub fn outlive(self: &Arc<Self>, watches: Watches, machine: &Handle) {
        let witness = Arc::clone(self);
        witness.outliving.fetch_add(1, Ordering::SeqCst);
        machine.spawn(async move {
            tokio::time::sleep(WATCH_OUTLIVES).await;
            let open = witness.database().await.open_clients(watches.instance).await.unwrap();
            for address in &watches.addresses {
                let ran = witness.ran.lock().unwrap().contains(address);
                if ran && open.iter().all(|client| client.address != *address) {
                    witness.complain(format!("the record of {address} was closed while a disk still had it as a client"));
                }
            }
            drop(watches);
            witness.outliving.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// A hypervisor with a witness.
pub struct Witnessed {
    pub hypervisor: Arc<dyn Hypervisor>,
    pub witness: Arc<Witness>,
}

#[async_trait]
impl Hypervisor for Witnessed {
    async fn resume(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        if let Ok(Found::Ours(guest)) = self.hypervisor.find(instance).await {
            self.witness.look_before_it_runs(&guest).await;
        }
        self.hypervisor.resume(instance).await
    }

    async fn node(&self) -> Result<Node, HypervisorError> {
        self.hypervisor.node().await
    }

    async fn guests(&self) -> Result<Vec<Guest>, HypervisorError> {
        self.hypervisor.guests().await
    }

    async fn find(&self, instance: InstanceId) -> Result<Found, HypervisorError> {
        self.hypervisor.find(instance).await
    }

    async fn assert_secret(&self, secret: &CephSecret) -> Result<Healed, HypervisorError> {
        self.hypervisor.assert_secret(secret).await
    }

    async fn look_at_secret(&self, uuid: Uuid) -> Result<SecretState, HypervisorError> {
        self.hypervisor.look_at_secret(uuid).await
    }

    async fn forget_secrets_but(&self, kept: &[Uuid]) -> Result<(), HypervisorError> {
        self.hypervisor.forget_secrets_but(kept).await
    }

    async fn ceph_clients(&self) -> Result<Vec<String>, HypervisorError> {
        self.hypervisor.ceph_clients().await
    }

    async fn ceph_secrets(&self) -> Result<Vec<HeldSecret>, HypervisorError> {
        self.hypervisor.ceph_secrets().await
    }

    async fn create(&self, blueprint: &Blueprint) -> Result<(), HypervisorError> {
        self.hypervisor.create(blueprint).await
    }

    async fn pause(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        self.hypervisor.pause(instance).await
    }

    async fn press_power_button(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        self.hypervisor.press_power_button(instance).await
    }

    async fn destroy(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        self.hypervisor.destroy(instance).await
    }

    async fn wait_gone(&self, instance: InstanceId, timeout: Duration) -> Result<bool, HypervisorError> {
        self.hypervisor.wait_gone(instance, timeout).await
    }

    fn last_call(&self) -> Duration {
        self.hypervisor.last_call()
    }
}

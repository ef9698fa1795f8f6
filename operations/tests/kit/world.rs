//! What outlives a process of the control plane: the database's file, Ceph, the hosts with their hypervisors and agents.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cuttle_compute::hypervisor::{Events, Hypervisor};
use cuttle_compute::libvirt::{Deadlines, Libvirt};
use cuttle_compute::state_dir::StateDir;
use cuttle_fakes::{MemoryCluster, MemoryHypervisor};
use cuttle_model::clock::Clock;
use cuttle_model::ids::{Ids, ProjectId, RandomIds, RequestId, UserId};
use cuttle_operations::{Requester, Settings};
use cuttle_rbd_backend::{ClusterAddress, ClusterConfig, Connect, Deferment, ImageRef, KeySource, Limits, PoolUse, Storage};
use tokio::runtime::Runtime;

use super::agent::Agent;
use super::clock::KitClock;
use super::witness::{Witness, Witnessed};

/// Where a scenario takes place.
pub struct World {
    folder: tempfile::TempDir,
    pub cluster: Arc<dyn Connect>,
    /// How the invariants are looked at: a client that is nobody's.
    pub storage: Arc<dyn Storage>,
    /// More than one where instances can move.
    pub machines: Vec<Machine>,
    pub clock: KitClock,
    pub witness: Arc<Witness>,
    pub settings: Settings,
    pub who: Requester,
    /// How long what an agent does late may take to show.
    pub patience: Duration,
    /// The hosts' own runtime: what runs there does not die with the control plane.
    pub machine: Runtime,
}

/// A host.
pub struct Machine {
    /// Each world's hosts have names of their own, as each has a Ceph user.
    pub host: String,
    pub hypervisor: Arc<dyn Hypervisor>,
    state: StateDir,
    pub agent: Agent,
}

fn settings(prefix: &str) -> Settings {
    Settings {
        images_pool: format!("{prefix}images"),
        vms_pool: format!("{prefix}vms"),
        volumes_pool: format!("{prefix}volumes"),
        command_timeout_seconds: 20,
        delete_patience_seconds: 20,
        shutdown_timeout_seconds: 1,
        lease_seconds: 2,
        retry_delay_ms: 2,
        step_attempts: 12,
        trash_delay_seconds: 600,
        ..Settings::default()
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A world in memory.
pub fn memory_world() -> World {
    let cluster = MemoryCluster::default();
    let hypervisors = [(); 2].map(|()| MemoryHypervisor::new(cluster.clone()));
    let parts = hypervisors.clone().map(|hypervisor| {
        let events = hypervisor.events();
        (Arc::new(hypervisor) as Arc<dyn Hypervisor>, events)
    });
    let folder = Path::new("/dev/shm");
    let folder = if folder.is_dir() { folder.to_owned() } else { std::env::temp_dir() };
    let world = World::new(folder, Arc::new(cluster), parts, settings(""), Duration::from_millis(500));
    for hypervisor in hypervisors {
        let (witness, machine) = (Arc::clone(&world.witness), world.machine.handle().clone());
        hypervisor.set_afterlife(Arc::new(move |watches| witness.outlive(watches, &machine)));
    }
    world
}

/// A world on the real Ceph that `CUTTLE_TEST_CEPH_CONF` names and the real libvirtd that `CUTTLE_TEST_LIBVIRT_URI` names.
pub fn real_world() -> World {
    let conf = std::env::var_os("CUTTLE_TEST_CEPH_CONF").map(PathBuf::from);
    assert!(conf.is_some(), "CUTTLE_TEST_CEPH_CONF is not set: these tests need a real Ceph, see docs/lab.md");
    let uri = std::env::var("CUTTLE_TEST_LIBVIRT_URI").expect("CUTTLE_TEST_LIBVIRT_URI must name a libvirtd for tests");
    let config = ClusterConfig { conf_file: conf, monitors: None, client_name: "client.admin".into(), key: KeySource::ConfFile };
    let deadlines =
        Deadlines { call: Duration::from_secs(20), create: Duration::from_secs(60), destroy: Duration::from_secs(30) };
    // One libvirtd is one host: a second one on it would end the first one's guests as its own.
    let (libvirt, events) = Libvirt::new(&uri, deadlines).unwrap();
    let hypervisors = [(Arc::new(libvirt) as Arc<dyn Hypervisor>, events)];
    let cluster = Arc::new(ClusterAddress { config, limits: Limits::default() });
    // A killed process's watch lasts for half a minute, and so may an undo.
    let settings = Settings { retry_delay_ms: 100, ..settings("kit-") };
    World::new(PathBuf::from("/var/tmp"), cluster, hypervisors, settings, Duration::from_secs(20))
}

impl World {
    fn new(
        folder: PathBuf,
        cluster: Arc<dyn Connect>,
        hypervisors: impl IntoIterator<Item = (Arc<dyn Hypervisor>, Events)>,
        settings: Settings,
        patience: Duration,
    ) -> Self {
        static WORLDS: AtomicU32 = AtomicU32::new(0);
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let folder = tempfile::Builder::new().prefix("cuttle-kit-").tempdir_in(folder).unwrap();
        let (machine, clock) = (runtime(), KitClock::default());
        let storage = machine.block_on(async {
            let storage = cluster.connect().await.unwrap();
            for pool in [&settings.images_pool, &settings.vms_pool, &settings.volumes_pool] {
                storage.create_pool(pool, PoolUse::Images).await.unwrap();
            }
            empty(storage.as_ref(), &settings).await;
            storage
        });
        let witness = Witness::new(database_url(&folder), Arc::clone(&storage), settings.vms_pool.clone());
        let start = |(place, (hypervisor, events)): (char, (Arc<dyn Hypervisor>, Events))| {
            let host = format!("kit-{}-{number}{place}", std::process::id());
            let state = StateDir::open(&folder.path().join(&host)).unwrap();
            let _inside = machine.enter();
            let hypervisor: Arc<dyn Hypervisor> = Arc::new(Witnessed { hypervisor, witness: Arc::clone(&witness) });
            let clock = Arc::new(clock.clone()) as Arc<dyn Clock>;
            let agent = Agent::start(Arc::clone(&hypervisor), events, state.clone(), clock);
            Machine { host, hypervisor, state, agent }
        };
        let machines = ['a', 'b'].into_iter().zip(hypervisors).map(start).collect();
        let who = Requester {
            project_id: ProjectId::from_uuid(RandomIds.uuid()),
            user_id: UserId::from_uuid(RandomIds.uuid()),
            request_id: RequestId::new(&RandomIds),
        };
        Self { folder, cluster, storage, machines, clock, witness, settings, who, patience, machine }
    }

    pub fn database_url(&self) -> String {
        database_url(&self.folder)
    }

    /// Takes away what a scenario leaves where there is no world of its own, also one that failed or that ended with
    /// its guest running.
    pub fn clean_up(self) {
        self.machine.block_on(async {
            for machine in &self.machines {
                // The agent wrote a promise about each guest that it was told of.
                for promise in std::fs::read_dir(machine.state.epochs()).unwrap() {
                    if let Ok(instance) = promise.unwrap().file_name().to_string_lossy().parse() {
                        machine.hypervisor.destroy(instance).await.unwrap();
                    }
                }
                let user = format!("client.cuttle.{}.1", machine.host);
                let _ = self.storage.remove_client(&user).await;
            }
            empty(self.storage.as_ref(), &self.settings).await;
        });
        self.machine.shutdown_background();
    }
}

fn database_url(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}", folder.path().join("cuttle.db").display())
}

/// Empties the kit's pools, clones before their parents. What somebody still has open stays until the next time.
async fn empty(storage: &dyn Storage, settings: &Settings) {
    for pool in [&settings.vms_pool, &settings.images_pool] {
        let pool = storage.pool(pool);
        for image in pool.list_images().await.unwrap_or_default() {
            let _ = pool.trash_move(&image.name, Duration::ZERO).await;
        }
        for entry in pool.trash_list().await.unwrap_or_default() {
            let image = || ImageRef::id(&entry.id);
            for snapshot in pool.list_snapshots(image()).await.ok().flatten().unwrap_or_default() {
                let _ = pool.unprotect_snapshot(image(), &snapshot.name).await;
                let _ = pool.remove_snapshot(image(), &snapshot.name).await;
            }
            let _ = pool.trash_purge(&entry.id, Deferment::Ignored).await;
        }
    }
}

//! A control plane on a real Ceph and a real database, with an agent that a test plays.
//!
//! A [`Life`] is one process of the control plane: it has a runtime of its own, so that ending it drops
//! every task where it stands, as a kill does. The next life finds the same database and the same Ceph.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part")]

mod agent;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cuttle_database::{Database, Options};
use cuttle_model::clock::{Clock, SystemClock};
use cuttle_model::flavor::{Flavor, FlavorId};
use cuttle_model::host::{HostResources, VirtType};
use cuttle_model::ids::{HostId, ImageId, InstanceId, ProjectId, RandomIds, RequestId, UserId};
use cuttle_model::image::{Image, ImageStatus, Visibility};
use cuttle_model::instance::Instance;
use cuttle_model::machine::Request;
use cuttle_operations::create::CreateInstance;
use cuttle_operations::{Control, Parts, Requester, Settings};
use cuttle_rbd_backend::{Cluster, ClusterAddress, ClusterConfig, KeySource, Limits, PoolUse};
use tokio_util::sync::CancellationToken;

pub use agent::{Agent, Answer};

/// Pools of these tests' own, so that a cloud that runs on the same Ceph sees nothing of them.
const IMAGES: &str = "unwind-images";
const DISKS: &str = "unwind-vms";
const VOLUMES: &str = "unwind-volumes";

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What outlives a process of the control plane: the database's file, the host, the agent.
pub struct World {
    folder: tempfile::TempDir,
    pub agent: Agent,
    pub settings: Settings,
    pub who: Requester,
}

/// One process of the control plane.
pub struct Life {
    runtime: tokio::runtime::Runtime,
    pub control: Control,
    shutdown: CancellationToken,
}

impl World {
    pub fn new() -> Self {
        let settings = Settings {
            images_pool: IMAGES.into(),
            vms_pool: DISKS.into(),
            volumes_pool: VOLUMES.into(),
            command_timeout_seconds: 5,
            delete_patience_seconds: 2,
            lease_seconds: 1,
            retry_delay_ms: 20,
            step_attempts: 6,
            trash_delay_seconds: 600,
            ..Settings::default()
        };
        let id = |n| uuid::Uuid::from_u128(n);
        let who = Requester {
            project_id: ProjectId::from_uuid(id(1)),
            user_id: UserId::from_uuid(id(2)),
            request_id: RequestId::new(&RandomIds),
        };
        Self { folder: tempfile::tempdir().unwrap(), agent: Agent::default(), settings, who }
    }

    /// A world in which a guest that cannot be made is not tried on another host.
    pub fn with_one_attempt() -> Self {
        let mut world = Self::new();
        world.settings.scheduler.max_attempts = 1;
        world
    }

    /// A world whose pools nobody else has ever used.
    pub fn in_own_pools(name: &str) -> Self {
        let id = ImageId::new(&RandomIds).as_uuid();
        let pool = |kind: &str| format!("{name}-{kind}-{}", id.simple());
        let world = Self::new();
        let settings = Settings {
            images_pool: pool("images"),
            vms_pool: pool("vms"),
            volumes_pool: pool("volumes"),
            ..world.settings.clone()
        };
        Self { settings, ..world }
    }

    /// Starts a process of the control plane. The first one also makes the host and the image.
    pub fn begin(&self) -> Life {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let control = runtime.block_on(self.control());
        let shutdown = CancellationToken::new();
        let (node, token) = (control.clone(), shutdown.clone());
        runtime.spawn(async move { node.run(token).await });
        let (agent, database) = (self.agent.clone(), control.database().clone());
        let host = runtime.block_on(self.host(&control));
        runtime.spawn(async move {
            let ceph = connect().await;
            agent.serve(database, host, ceph).await;
        });
        Life { runtime, control, shutdown }
    }

    async fn control(&self) -> Control {
        let url = format!("sqlite:{}", self.folder.path().join("cuttle.db").display());
        let database: Database = cuttle_database::connect(&url, None, &Options::default()).await.unwrap();
        database.migrate().await.unwrap();
        let ceph = connect().await;
        let connect = Arc::new(address());
        for pool in [&self.settings.images_pool, &self.settings.vms_pool, &self.settings.volumes_pool] {
            ceph.create_pool(pool, PoolUse::Images).await.unwrap();
        }
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(RandomIds));
        let settings = self.settings.clone();
        Control::join(Parts { database, ceph: Arc::new(ceph), connect, clock, ids, settings, probe: None }).await.unwrap()
    }

    async fn host(&self, control: &Control) -> HostId {
        let name = "test-host".parse().unwrap();
        if control.database().find_host(&name).await.unwrap().is_none() {
            control.registry().add(&name, [0; 32], Duration::from_secs(60)).await.unwrap();
        }
        let host = control.database().find_host(&name).await.unwrap().unwrap();
        let resources = HostResources {
            vcpus: 4,
            ram_mib: 4096,
            reserved_ram_mib: 0,
            cpu_ratio_milli: 1000,
            ram_ratio_milli: 1000,
            virt_type: VirtType::Qemu,
            libvirt_version: String::new(),
            hypervisor_version: String::new(),
            architecture: "x86_64".into(),
            agent: Default::default(),
        };
        // Heard of an hour from now: what these tests look at is not liveness.
        let now = SystemClock.now();
        control.database().record_hello(host.id, "boot", &resources, now.plus(Duration::from_secs(3600))).await.unwrap();
        host.id
    }

    /// All that the database has written to its files.
    pub fn database_bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }

    /// A flavor of one virtual CPU and 512 MiB.
    pub fn flavor(&self) -> Flavor {
        Flavor {
            id: FlavorId("test".into()),
            name: "test".into(),
            description: None,
            vcpus: 1,
            ram_mib: 512,
            disk_gib: 1,
            ephemeral_gib: 0,
            swap_mib: 0,
            is_public: true,
            is_disabled: false,
            extra_specs: Default::default(),
        }
    }
}

impl Life {
    /// Runs a test's part in this process.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(LIMIT, work).await.expect("not within a minute") })
    }

    /// The process is killed: every task stops where it stands.
    pub fn kill(self) {
        self.runtime.shutdown_background();
    }

    /// The process is stopped in an orderly way.
    pub fn stop(self) {
        self.shutdown.cancel();
        self.runtime.shutdown_timeout(Duration::from_secs(5));
    }

    /// An image without data.
    pub fn queued_image(&self, world: &World) -> Image {
        let now = SystemClock.now();
        let image = Image {
            id: ImageId::new(&RandomIds),
            project_id: world.who.project_id,
            name: Some("test".into()),
            status: ImageStatus::Queued,
            visibility: Visibility::Private,
            protected: false,
            disk_format: Some("raw".into()),
            container_format: Some("bare".into()),
            min_disk_gib: 0,
            min_ram_mib: 0,
            size_bytes: None,
            virtual_size_bytes: None,
            checksum: None,
            sha512: None,
            hidden: false,
            failure: None,
            tags: Vec::new(),
            properties: Default::default(),
            created_at: now,
            updated_at: now,
            generation: 1,
        };
        self.block_on(async { self.control.database().insert_image(&image).await.unwrap() });
        image
    }

    /// An image of 8 MiB.
    pub fn image(&self, world: &World) -> Image {
        let queued = self.queued_image(world);
        let data = futures::stream::iter([Ok::<_, String>(bytes::Bytes::from(vec![7; 8 << 20]))]);
        self.block_on(cuttle_operations::image::import(&self.control, &world.who, queued, data, Some(8 << 20))).unwrap()
    }

    /// A plain request for an instance.
    pub fn request(&self, world: &World, image: &Image) -> CreateInstance {
        CreateInstance {
            name: "test".into(),
            description: None,
            hostname: None,
            flavor: world.flavor(),
            image: image.clone(),
            metadata: Default::default(),
            keypair: None,
            availability_zone: None,
            tags: Default::default(),
            reservation_id: None,
            launch_index: 0,
            access_ipv4: None,
            access_ipv6: None,
            quota: None,
            guest: Default::default(),
            wishes: Default::default(),
        }
    }

    /// Asks for an instance.
    pub fn create(&self, world: &World, image: &Image) -> InstanceId {
        self.create_with(world, image, |_| {})
    }

    /// Asks for an instance that differs from the plain one.
    pub fn create_with(&self, world: &World, image: &Image, change: impl FnOnce(&mut CreateInstance)) -> InstanceId {
        let mut request = self.request(world, image);
        change(&mut request);
        self.block_on(cuttle_operations::create::create(&self.control, &world.who, request)).unwrap().id
    }

    pub fn instance(&self, id: InstanceId) -> Instance {
        self.block_on(async { self.control.database().get_instance(id).await.unwrap().unwrap() })
    }

    /// Waits until nothing is being done to the instance.
    pub fn settled(&self, id: InstanceId) -> Instance {
        let begun = Instant::now();
        loop {
            let instance = self.instance(id);
            if instance.task.is_none() {
                return instance;
            }
            assert!(begun.elapsed() < LIMIT, "still {:?} after {LIMIT:?}", instance.task);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The RBD image of the instance's disk, if there is one under its name.
    pub fn disk(&self, id: InstanceId) -> Option<String> {
        let name = cuttle_model::disk::root_disk_name(id);
        self.block_on(async { self.control.ceph().pool(&self.control.settings().vms_pool).info(name.into()).await.unwrap() })
            .map(|info| info.id)
    }

    /// Is the instance's disk in the trash?
    pub fn in_trash(&self, id: InstanceId) -> bool {
        self.trashed(id).contains(&cuttle_model::disk::root_disk_name(id))
    }

    /// The names of the instance's disks that are in the trash.
    pub fn trashed(&self, id: InstanceId) -> Vec<String> {
        let entries =
            self.block_on(async { self.control.ceph().pool(&self.control.settings().vms_pool).trash_list().await.unwrap() });
        entries.into_iter().map(|entry| entry.name).filter(|name| name.starts_with(&id.to_string())).collect()
    }

    /// Is there data of the image?
    pub fn has_data(&self, image: &Image) -> bool {
        let name = cuttle_model::disk::image_name(image.id);
        self.block_on(async { self.control.ceph().pool(&self.control.settings().images_pool).info(name.into()).await.unwrap() })
            .is_some()
    }

    /// How much of the host is claimed: virtual CPUs and MiB.
    pub fn claimed(&self) -> (u64, u64) {
        let candidates = self.block_on(async { self.control.database().candidates().await.unwrap() });
        candidates.first().map_or((0, 0), |candidate| (candidate.usage.vcpus, candidate.usage.ram_mib))
    }

    /// Clients that may still write to the instance's disks.
    pub fn open_clients(&self, id: InstanceId) -> usize {
        self.block_on(async { self.control.database().open_clients(id).await.unwrap() }).len()
    }

    /// What must hold of an instance that could not be made: no disk, no claim, no client.
    pub fn assert_nothing_left(&self, id: InstanceId) {
        assert_eq!(self.disk(id), None, "its disk is still there");
        assert_eq!(self.claimed(), (0, 0), "its claim is still there");
        assert_eq!(self.open_clients(id), 0, "a client of it may still write");
        assert_eq!(self.instance(id).root_disk, None);
    }
}

/// Asks for something that is accepted.
pub fn ask(life: &Life, world: &World, id: InstanceId, request: Request) {
    life.block_on(cuttle_operations::power::request(&life.control, &world.who, id, request)).unwrap();
}

/// Where the Ceph is that the environment names, for its administrator.
pub fn address() -> ClusterAddress {
    let conf_file = std::env::var_os("CUTTLE_TEST_CEPH_CONF").map(PathBuf::from);
    assert!(conf_file.is_some(), "CUTTLE_TEST_CEPH_CONF is not set: these tests need a real Ceph, see docs/lab.md");
    let config = ClusterConfig { conf_file, monitors: None, client_name: "client.admin".into(), key: KeySource::ConfFile };
    ClusterAddress { config, limits: Limits::default() }
}

/// A connection of its own.
pub async fn connect() -> Cluster {
    let ClusterAddress { config, limits } = address();
    Cluster::connect(config, limits).await.unwrap()
}

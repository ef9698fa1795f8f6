//! One process of the control plane. It has a runtime of its own, so that ending it drops every task where it stands, as a
//! kill does; the next one finds the same database, the same Ceph and the same host.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use cuttle_database::{Database, InstanceQuery, Options};
use cuttle_model::flavor::{Flavor, FlavorId};
use cuttle_model::host::Host;
use cuttle_model::ids::{HostId, ImageId, InstanceId, RandomIds};
use cuttle_model::image::{Image, ImageStatus, Visibility};
use cuttle_model::instance::{Instance, StateName};
use cuttle_model::machine::Request;
use cuttle_model::operation::{Operation, OperationKind, Subject};
use cuttle_operations::config_drive::GuestInputs;
use cuttle_operations::moving::Move;
use cuttle_operations::{Control, Parts, drain};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::script::{Rule, Script, Word};
use super::world::{Machine, World};

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(120);

/// One process of the control plane.
pub struct Life {
    runtime: Runtime,
    pub control: Control,
    pub script: Arc<Script>,
    pub words: Receiver<Word>,
    /// How long what an agent does late may take to show.
    pub patience: Duration,
    shutdown: CancellationToken,
    /// The hosts, and each agent's connection.
    links: Vec<(Host, JoinHandle<()>)>,
}

impl Life {
    /// Starts a process in which `rules` happen to operations of this kind.
    pub fn begin(world: &World, kind: OperationKind, rules: Vec<Rule>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (sender, words) = channel();
        let script = Arc::new(Script::new(kind, rules, sender));
        let control = runtime.block_on(async {
            let database: Database = cuttle_database::connect(&world.database_url(), None, &Options::default()).await.unwrap();
            database.migrate().await.unwrap();
            let parts = Parts {
                database,
                ceph: world.cluster.connect().await.unwrap(),
                connect: Arc::clone(&world.cluster),
                clock: Arc::new(world.clock.clone()),
                ids: Arc::new(RandomIds),
                settings: world.settings.clone(),
                probe: Some(Arc::clone(&script) as Arc<_>),
            };
            Control::join(parts).await.unwrap()
        });
        let joined = |(number, machine): (u8, &Machine)| {
            let name = machine.host.parse().unwrap();
            runtime.block_on(async {
                let database = control.database();
                if database.find_host(&name).await.unwrap().is_none() {
                    control.registry().add(&name, [number; 32], Duration::from_secs(60)).await.unwrap();
                }
                let host = database.find_host(&name).await.unwrap().unwrap();
                let now = control.clock().now();
                database.record_hello(host.id, "boot", &super::agent::resources(), now).await.unwrap();
                host
            })
        };
        let hosts: Vec<Host> = (0..).zip(&world.machines).map(joined).collect();
        let links = connect(world, &control, hosts);
        let shutdown = CancellationToken::new();
        let (node, token) = (control.clone(), shutdown.clone());
        runtime.spawn(async move { node.run(token).await });
        let patience = world.patience;
        Self { runtime, control, script, words, patience, shutdown, links }
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(LIMIT, work).await.expect("it takes too long") })
    }

    /// Goes on beside the test.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }

    /// The process is killed.
    pub fn kill(self, world: &World) {
        self.hang_up();
        self.runtime.shutdown_background();
        // Its lease runs out.
        world.clock.advance(Duration::from_secs(world.settings.lease_seconds + 1));
    }

    /// The agents' connections break, and they dial again.
    pub fn reconnect(&mut self, world: &World) {
        self.hang_up();
        let hosts = self.links.drain(..).map(|(host, _)| host).collect();
        self.links = connect(world, &self.control, hosts);
    }

    fn hang_up(&self) {
        self.links.iter().for_each(|(_, link)| link.abort());
    }

    /// The process ends in an orderly way.
    pub fn stop(self) {
        self.shutdown.cancel();
        self.hang_up();
        self.runtime.shutdown_background();
    }

    pub fn instance(&self, id: InstanceId) -> Instance {
        self.block_on(async { self.control.database().get_instance(id).await.unwrap().unwrap() })
    }

    /// All operations of a subject, the newest first.
    pub fn operations(&self, subject: Subject) -> Vec<Operation> {
        self.block_on(async { self.control.database().list_operations(subject).await.unwrap() })
    }

    /// Waits until the subject has no open operation, and answers the newest of this kind. `None`: the process shall die.
    pub fn settled(&self, subject: Subject, kind: OperationKind) -> Option<Operation> {
        let begun = Instant::now();
        loop {
            match self.words.try_recv() {
                Ok(Word::Crash) => return None,
                Ok(Word::Cancel(id)) => {
                    self.block_on(async { self.control.database().cancel_operation(id).await.unwrap() });
                }
                Err(_) => {}
            }
            let operations = self.operations(subject);
            if operations.iter().all(|operation| !operation.status.is_open())
                && let Some(ended) = operations.into_iter().find(|operation| operation.kind == kind)
            {
                return Some(ended);
            }
            let open = || self.operations(subject).into_iter().find(|operation| operation.status.is_open());
            assert!(begun.elapsed() < LIMIT, "still open: {:?}", open());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn queued_image(&self, world: &World) -> Image {
        let now = self.control.clock().now();
        let image = Image {
            id: ImageId::new(&RandomIds),
            project_id: world.who.project_id,
            name: Some("kit".into()),
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

    /// An image with data.
    pub fn image(&self, world: &World) -> Image {
        let queued = self.queued_image(world);
        let data = super::operations::data();
        self.block_on(cuttle_operations::image::import(&self.control, &world.who, queued, data, None)).unwrap()
    }

    /// Asks for an instance, and does not wait for it.
    pub fn create(&self, world: &World, image: &Image) -> InstanceId {
        let request = cuttle_operations::create::CreateInstance {
            name: "kit".into(),
            description: None,
            hostname: None,
            flavor: flavor(),
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
            // So there is a config drive, and something that must go with the instance.
            guest: GuestInputs { user_data: Some("IyEvYmluL3NoCg==".into()), ..GuestInputs::default() },
            wishes: Default::default(),
        };
        self.block_on(cuttle_operations::create::create(&self.control, &world.who, request)).unwrap().id
    }

    /// A running instance.
    pub fn running(&self, world: &World) -> InstanceId {
        let id = self.create(world, &self.image(world));
        self.settled(Subject::Instance(id), OperationKind::CreateInstance);
        id
    }

    /// Asks for another flavor.
    pub fn resize(&self, world: &World, id: InstanceId) {
        self.relocate(world, id, Move::Resize { flavor: Box::new(larger_flavor()), quota: None });
    }

    /// Asks for another host.
    pub fn migrate(&self, world: &World, id: InstanceId) {
        self.relocate(world, id, Move::Migrate { host: None });
    }

    fn relocate(&self, world: &World, id: InstanceId, what: Move) {
        self.block_on(cuttle_operations::moving::begin(&self.control, &world.who, id, what)).unwrap();
    }

    /// Asks for everything to leave a host.
    pub fn drain(&self, world: &World, host: HostId) {
        let how = drain::How { parallel: 2, cold: true };
        self.block_on(async {
            let host = self.control.database().get_host(host).await.unwrap().unwrap();
            drain::begin(&self.control, &world.who, &host.name, how).await.unwrap()
        });
    }

    /// Deletes whatever there is.
    pub fn delete_all(&self, world: &World) {
        let all = InstanceQuery { states: StateName::ALL.to_vec(), ..InstanceQuery::default() };
        for instance in self.block_on(async { self.control.database().list_instances(&all).await.unwrap() }) {
            if instance.state.name() != StateName::Deleted {
                self.ask(world, instance.id, Request::Delete);
                self.settled(Subject::Instance(instance.id), OperationKind::DeleteInstance);
            }
        }
    }

    pub fn ask(&self, world: &World, id: InstanceId, request: Request) {
        self.block_on(cuttle_operations::power::request(&self.control, &world.who, id, request)).unwrap();
    }
}

fn connect(world: &World, control: &Control, hosts: Vec<Host>) -> Vec<(Host, JoinHandle<()>)> {
    let link = |(machine, host): (&Machine, Host)| {
        let (agent, control, served) = (machine.agent.clone(), control.clone(), host.clone());
        (host, world.machine.spawn(async move { agent.serve(control, served).await }))
    };
    world.machines.iter().zip(hosts).map(link).collect()
}

/// One that needs a larger disk and more memory.
fn larger_flavor() -> Flavor {
    Flavor { id: FlavorId("kit-larger".into()), name: "kit-larger".into(), ram_mib: 96, disk_gib: 2, ..flavor() }
}

fn flavor() -> Flavor {
    Flavor {
        id: FlavorId("kit".into()),
        name: "kit".into(),
        description: None,
        vcpus: 1,
        ram_mib: 64,
        disk_gib: 1,
        ephemeral_gib: 1,
        swap_mib: 16,
        is_public: true,
        is_disabled: false,
        extra_specs: Default::default(),
    }
}

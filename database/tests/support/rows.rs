//! Rows for tests: plain ones, each with an id of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cuttle_compute_protocol::{Action, Command};
use cuttle_database::{Begin, Database, Event, Inserted, Insertion, LeaseGuard, Mark, NewInstance, Placement, Room, WhenBusy};
use cuttle_model::capacity::Claim;
use cuttle_model::client::DiskClient;
use cuttle_model::clock::Timestamp;
use cuttle_model::flavor::{Flavor, FlavorId};
use cuttle_model::host::{Administrative, Host, HostResources, VirtType};
use cuttle_model::ids::{
    CommandId, ControlNodeId, Epoch, HostId, ImageId, InstanceId, MigrationId, OperationId, ProjectId, RequestId, UserId,
};
use cuttle_model::image::{Image, ImageStatus, Visibility};
use cuttle_model::instance::{Instance, InstanceState, PowerState, Task};
use cuttle_model::migration::{MigrationKind, NewMigration};
use cuttle_model::operation::{Lease, Operation, OperationKind, OperationStatus, Subject};
use cuttle_model::placement::{PlacementRecord, Reasons};
use tokio::sync::broadcast;
use uuid::Uuid;

/// An id that no other call in this process gives.
pub fn uuid() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // Neither order nor looks of an id mean anything: mix it.
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes())
}

/// The next event; it does not take long.
pub async fn heard(events: &mut broadcast::Receiver<Event>) -> Event {
    tokio::time::timeout(Duration::from_secs(20), events.recv()).await.expect("no event came").unwrap()
}

/// So many seconds into the test's time.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_767_323_045_000_000 + seconds * 1_000_000)
}

pub fn project() -> ProjectId {
    ProjectId::from_uuid(uuid())
}

pub fn node() -> ControlNodeId {
    ControlNodeId::from_uuid(uuid())
}

pub fn flavor() -> Flavor {
    Flavor {
        id: FlavorId("tiny".to_owned()),
        name: "tiny".to_owned(),
        description: None,
        vcpus: 1,
        ram_mib: 64,
        disk_gib: 1,
        ephemeral_gib: 0,
        swap_mib: 0,
        is_public: true,
        is_disabled: false,
        extra_specs: BTreeMap::new(),
    }
}

pub fn resources() -> HostResources {
    HostResources {
        vcpus: 4,
        ram_mib: 8192,
        reserved_ram_mib: 512,
        cpu_ratio_milli: 4000,
        ram_ratio_milli: 1000,
        virt_type: VirtType::Qemu,
        libvirt_version: "11.3.0".to_owned(),
        hypervisor_version: "10.0.2".to_owned(),
        architecture: "x86_64".to_owned(),
        agent: Default::default(),
    }
}

pub fn host(name: &str) -> Host {
    Host {
        id: HostId::from_uuid(uuid()),
        name: name.parse().unwrap(),
        administrative: Administrative::Enabled,
        resources: None,
        boot_id: None,
        last_seen_at: None,
        ceph_generation: 1,
        created_at: at(0),
    }
}

/// A host in the database.
pub async fn insert_host(database: &Database, name: &str) -> Host {
    let host = host(name);
    assert_eq!(database.insert_host(&host).await.unwrap(), Inserted::Inserted);
    host
}

pub fn instance(project_id: ProjectId) -> Instance {
    Instance {
        id: InstanceId::from_uuid(uuid()),
        project_id,
        user_id: UserId::from_uuid(uuid()),
        name: "one".to_owned(),
        description: None,
        hostname: "one".to_owned(),
        flavor: flavor(),
        image_id: None,
        state: InstanceState::Building,
        task: None,
        power: PowerState::Unknown,
        host_id: None,
        epoch: Epoch::NONE,
        running_allowed: None,
        root_disk: None,
        extra_disks: Vec::new(),
        config_drive: false,
        metadata: BTreeMap::new(),
        key_name: None,
        public_key: None,
        tags: Default::default(),
        lock: None,
        reservation_id: None,
        launch_index: 0,
        access_ipv4: None,
        access_ipv6: None,
        availability_zone: None,
        created_at: at(0),
        updated_at: at(0),
        launched_at: None,
        deleted_at: None,
        generation: 1,
    }
}

/// An instance in the database, without host and operation.
pub async fn insert_instance(database: &Database) -> Instance {
    let instance = instance(project());
    store(database, &instance).await;
    instance
}

/// Stores an instance, without claim and operation.
pub async fn store(database: &Database, instance: &Instance) {
    let new = NewInstance {
        instance: instance.clone(),
        placement: None,
        operation: None,
        quota: None,
        user_data: None,
        placing: Default::default(),
    };
    assert_eq!(database.insert_instance(&new).await.unwrap(), Insertion::Inserted);
}

pub async fn get(database: &Database, instance: &Instance) -> Instance {
    database.get_instance(instance.id).await.unwrap().unwrap()
}

/// An instance with a claim of its flavor on a host that takes `vcpu_limit`.
pub fn placed(host: HostId, vcpu_limit: u64) -> NewInstance {
    let instance = Instance { host_id: Some(host), ..instance(project()) };
    let claim = Claim::of(instance.id, host, &instance.flavor);
    NewInstance {
        instance,
        placement: Some(Placement::new(claim, vcpu_limit, u64::MAX)),
        operation: None,
        quota: None,
        user_data: None,
        placing: Default::default(),
    }
}

pub fn image(project_id: ProjectId) -> Image {
    Image {
        id: ImageId::from_uuid(uuid()),
        project_id,
        name: Some("tiny".to_owned()),
        status: ImageStatus::Queued,
        visibility: Visibility::Private,
        protected: false,
        disk_format: Some("raw".to_owned()),
        container_format: Some("bare".to_owned()),
        min_disk_gib: 0,
        min_ram_mib: 0,
        size_bytes: None,
        virtual_size_bytes: None,
        checksum: None,
        sha512: None,
        hidden: false,
        failure: None,
        tags: Vec::new(),
        properties: BTreeMap::new(),
        created_at: at(0),
        updated_at: at(0),
        generation: 1,
    }
}

pub fn operation(subject: Subject, owner: ControlNodeId) -> Operation {
    Operation {
        id: OperationId::from_uuid(uuid()),
        kind: OperationKind::StartInstance,
        subject,
        project_id: project(),
        user_id: UserId::from_uuid(uuid()),
        request_id: RequestId::from_stored("req-1"),
        status: OperationStatus::Running,
        next_step: 0,
        state: serde_json::json!({}),
        fault: None,
        cancel_requested: false,
        lease: Some(Lease { owner, epoch: 1, until: at(30) }),
        started_at: at(0),
        finished_at: None,
    }
}

/// The begin of an operation on an instance as it is.
pub fn begin(instance: &Instance, owner: ControlNodeId, when_busy: WhenBusy) -> Begin {
    Begin {
        operation: operation(Subject::Instance(instance.id), owner),
        mark: Mark::Instance { generation: instance.generation, task: Task::Starting },
        when_busy,
        room: None,
    }
}

/// The begin of a move to that host, with that flavor.
pub fn begin_move(instance: &Instance, host: HostId, flavor: &Flavor) -> Begin {
    let mut begin = begin(instance, node(), WhenBusy::Refuse);
    begin.operation.kind = OperationKind::ResizeInstance;
    let migration = NewMigration {
        id: MigrationId::from_uuid(begin.operation.id.as_uuid()),
        kind: MigrationKind::Resize,
        source: instance.host_id.unwrap(),
        destination: host,
        old_flavor: instance.flavor.id.clone(),
        new_flavor: flavor.id.clone(),
    };
    let record = PlacementRecord {
        instance_id: instance.id,
        operation_id: Some(begin.operation.id),
        made_at: at(0),
        purpose: begin.operation.kind.as_str().to_owned(),
        reasons: Reasons { hosts: 2, filters: vec![], left: 1, top: vec![], nearest: vec![], chosen: None },
        refusal: None,
    };
    let placement = Placement::new(Claim::of(instance.id, host, flavor), u64::MAX, u64::MAX);
    begin.room = Some(Room { placement, quota: None, migration, record });
    begin
}

/// Names the lease that an operation was begun or taken with.
pub fn guard(operation: &Operation) -> LeaseGuard {
    LeaseGuard { operation: operation.id, epoch: operation.lease.as_ref().unwrap().epoch }
}

pub fn command(instance: InstanceId, epoch: i64, action: Action) -> Command {
    Command {
        id: CommandId::from_uuid(uuid()),
        instance_id: instance,
        epoch: Epoch(epoch),
        action,
        not_after: at(0).plus(Duration::from_secs(60)),
    }
}

pub fn client(instance: InstanceId, epoch: i64, host: HostId, address: &str) -> DiskClient {
    DiskClient {
        instance_id: instance,
        epoch: Epoch(epoch),
        host_id: host,
        pool: "vms".to_owned(),
        image_id: "10a3f".to_owned(),
        address: address.to_owned(),
        recorded_at: at(1),
    }
}

/// Runs all of these at once, each in a task of its own, and gathers what they answer.
pub async fn at_once<T: Send + 'static>(work: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    futures::future::join_all(work.into_iter().map(tokio::spawn)).await.into_iter().map(|ended| ended.unwrap()).collect()
}

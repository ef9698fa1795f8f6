//! What must hold whatever happened, looked for in the storage, the hypervisor and the database. Design's five rules.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use cuttle_compute::hypervisor::Guest;
use cuttle_database::{ImageQuery, InstanceQuery, OperationQuery};
use cuttle_model::disk::{self, IMAGE_SNAPSHOT, RESIZE_SNAPSHOT, image_name};
use cuttle_model::ids::InstanceId;
use cuttle_model::image::{Image, ImageStatus};
use cuttle_model::instance::{Instance, InstanceState, PowerState, StateName};
use cuttle_model::operation::{OperationKind, OperationStatus};
use cuttle_rbd_backend::{ImagePool, ImageRef, Protection};

use super::life::Life;
use super::world::World;

/// What there is.
struct Seen {
    instances: Vec<Instance>,
    images: Vec<Image>,
    guests: Vec<Guest>,
}

/// How long facts may take to be reconciled: an agent may be at something that nobody waits for any more.
const LIMIT: Duration = Duration::from_secs(20);

/// Checks all of it. To be called when nothing is under way.
pub fn check(world: &World, life: &mut Life) {
    let begun = Instant::now();
    // What nobody knows is found out when the agent speaks again.
    while is_unknown(life) {
        assert!(begun.elapsed() < LIMIT, "an instance's power stays unknown");
        life.reconnect(world);
        std::thread::sleep(Duration::from_millis(50));
    }
    // What is late must come right by itself; what is wrong stays wrong.
    loop {
        let checked = catch_unwind(AssertUnwindSafe(|| life.block_on(check_once(world, life))));
        match checked {
            Ok(()) => return,
            Err(panic) if begun.elapsed() > life.patience => resume_unwind(panic),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn is_unknown(life: &Life) -> bool {
    let states = vec![StateName::Active, StateName::Paused, StateName::Resized];
    let query = InstanceQuery { states, ..InstanceQuery::default() };
    let active = life.block_on(async { life.control.database().list_instances(&query).await.unwrap() });
    active.iter().any(|instance| instance.power == PowerState::Unknown)
}

async fn check_once(world: &World, life: &Life) {
    assert_eq!(world.witness.outliving(), 0, "watches of processes that have ended");
    life.control.purge().await;
    let complaints = world.witness.complaints();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let seen = look(world, life).await;
    journal_is_closed(life).await;
    one_writer(world, life, &seen).await;
    nothing_leaks(world, life, &seen).await;
    nothing_is_lost(world, life, &seen).await;
    claims_are_right(life, &seen).await;
}

async fn look(world: &World, life: &Life) -> Seen {
    let database = life.control.database();
    let states = StateName::ALL.to_vec();
    let instances = database.list_instances(&InstanceQuery { states, ..InstanceQuery::default() }).await.unwrap();
    let images = database.list_images(&ImageQuery::default()).await.unwrap();
    // Guests of others may run on the same libvirtd.
    let ours = |guest: &Guest| instances.iter().any(|instance| instance.id == guest.instance_id);
    let mut guests: Vec<Guest> = Vec::new();
    for machine in &world.machines {
        guests.extend(machine.hypervisor.guests().await.unwrap().into_iter().filter(ours));
    }
    Seen { instances, images, guests }
}

async fn journal_is_closed(life: &Life) {
    let database = life.control.database();
    for operation in database.find_operations(&OperationQuery::default()).await.unwrap() {
        assert!(!operation.status.is_open() && operation.finished_at.is_some(), "not closed: {operation:?}");
        assert_ne!(operation.status, OperationStatus::Parked, "{:?}", operation.fault);
        assert_eq!(operation.lease, None, "{operation:?}");
    }
    for host in database.list_hosts().await.unwrap() {
        let pending = database.pending_commands(host.id).await.unwrap();
        assert!(pending.is_empty(), "commands that nobody waits for: {pending:?}");
    }
    for instance in database.list_instances(&InstanceQuery::default()).await.unwrap() {
        assert_eq!(instance.task, None, "{instance:?}");
        assert_ne!(instance.state.name(), StateName::Building, "{instance:?}");
    }
}

/// A guest runs only where its instance's row says so, in its newest epoch, after its clients were recorded; and whoever
/// has a disk open is one of those clients.
async fn one_writer(world: &World, life: &Life, seen: &Seen) {
    let database = life.control.database();
    for guest in &seen.guests {
        let instance = seen.instances.iter().find(|instance| instance.id == guest.instance_id).unwrap();
        assert_eq!(guest.epoch, instance.epoch, "a guest of another epoch than {instance:?}");
        // A delete that could not go on leaves the guest as it was.
        let may_run = instance.state.has_guest() || instance.state.name() == StateName::Error;
        assert!(may_run, "a guest of an instance that should have none: {instance:?}");
        if guest.power == PowerState::Running {
            assert_eq!(instance.running_allowed, Some(guest.epoch), "it was never allowed to run");
        }
    }
    let mut count: BTreeMap<InstanceId, usize> = BTreeMap::new();
    for guest in &seen.guests {
        *count.entry(guest.instance_id).or_default() += 1;
    }
    for instance in &seen.instances {
        let open = database.open_clients(instance.id).await.unwrap();
        let guests = count.get(&instance.id).copied().unwrap_or(0);
        if instance.state.has_guest() {
            assert_eq!(guests, 1, "{instance:?} has {guests} guests");
            let power = seen.guests.iter().find(|guest| guest.instance_id == instance.id).map(|guest| guest.power);
            assert_eq!(power, Some(instance.power), "its guest is in another power state: {instance:?}");
        }
        assert!(guests <= 1, "{instance:?} has {guests} guests");
        assert!(guests == 0 || !open.is_empty(), "{instance:?} has a guest and no client on record");
        // A record goes only by proof, which may come with the next start, with the delete, or after it.
        if instance.root_disk.is_none() {
            assert!(open.is_empty(), "{instance:?} has these clients on record: {open:?}");
        }
        for disk in instance.disks() {
            let watchers = world.storage.pool(&disk.pool).watchers_by_id(&disk.image_id).await.unwrap().unwrap_or_default();
            for watcher in &watchers {
                let known = open.iter().any(|client| client.address == watcher.address && client.image_id == disk.image_id);
                assert!(known, "an unknown client: {watcher:?} of {disk:?} of {instance:?}");
            }
            assert_eq!(watchers.len(), guests, "{watchers:?} of {disk:?} of {instance:?}");
        }
    }
}

/// No image that no row owns.
async fn nothing_leaks(world: &World, life: &Life, seen: &Seen) {
    let settings = life.control.settings();
    for found in world.storage.pool(&settings.vms_pool).list_images().await.unwrap() {
        let owner = found.name.split('_').next().and_then(|id| id.parse::<InstanceId>().ok());
        let owner = owner.and_then(|id| seen.instances.iter().find(|instance| instance.id == id));
        let owner = owner.unwrap_or_else(|| panic!("the disk {} belongs to nobody", found.name));
        assert_ne!(owner.state, InstanceState::Deleted, "{} outlived its instance", found.name);
        let known = owner.disks().any(|disk| disk.image_id == found.id && disk.name == found.name);
        assert!(known, "{owner:?} does not know of {}", found.name);
        let said = world.storage.pool(&settings.vms_pool).metadata(found.name.as_str().into()).await.unwrap().unwrap_or_default();
        assert_eq!(said.get(disk::owner::INSTANCE), Some(&owner.id.to_string()), "{} says of its owner: {said:?}", found.name);
    }
    for found in world.storage.pool(&settings.images_pool).list_images().await.unwrap() {
        let owner = seen.images.iter().find(|image| image_name(image.id) == found.name);
        let owner = owner.unwrap_or_else(|| panic!("the image {} belongs to nobody", found.name));
        assert_eq!(owner.status, ImageStatus::Active, "{owner:?} should have no data");
    }
}

/// No row that names what is not there.
async fn nothing_is_lost(world: &World, life: &Life, seen: &Seen) {
    let settings = life.control.settings();
    let in_trash = |pool: &std::sync::Arc<dyn ImagePool>| {
        let pool = pool.clone();
        async move { pool.trash_list().await.unwrap().into_iter().map(|entry| entry.id).collect::<Vec<_>>() }
    };
    let vms = world.storage.pool(&settings.vms_pool);
    let trash = in_trash(&vms).await;
    for instance in seen.instances.iter().filter(|instance| instance.state != InstanceState::Deleted) {
        let Some(root) = &instance.root_disk else {
            assert_eq!(instance.state.name(), StateName::Error, "without a disk: {instance:?}");
            continue;
        };
        if instance.state.has_guest() {
            let drives = usize::from(instance.config_drive);
            assert_eq!(instance.disks().count(), 1 + instance.flavor.extra_disks().len() + drives, "{instance:?}");
            assert!(root.size_bytes >= instance.flavor.disk_gib << 30, "smaller than its flavor says: {instance:?}");
        }
        let operations = life.control.database().list_operations(cuttle_model::operation::Subject::Instance(instance.id));
        let delete_asked = operations.await.unwrap().iter().any(|operation| operation.kind == OperationKind::DeleteInstance);
        for disk in instance.disks() {
            let found = vms.info_by_id(&disk.image_id).await.unwrap();
            let found = found.unwrap_or_else(|| panic!("{disk:?} of {instance:?} is gone"));
            let trashed = trash.contains(&disk.image_id);
            assert!(delete_asked || !trashed, "nobody asked for {instance:?} to be deleted");
            assert_eq!(found.size_bytes, disk.size_bytes, "{disk:?} of {instance:?}");
            if disk.image_id == root.image_id && !trashed {
                // Of its image, or of what it was before it was made larger.
                let snapshot = found.parent.map(|parent| parent.snapshot).unwrap_or_default();
                assert!([IMAGE_SNAPSHOT, RESIZE_SNAPSHOT].contains(&snapshot.as_str()), "no clone: {instance:?}");
                assert_eq!(found.size_bytes, disk.size_bytes, "{disk:?}");
                assert_eq!(disk.size_bytes, instance.flavor.disk_gib << 30, "{instance:?}");
                let kept = vms.list_snapshots(ImageRef::id(disk.image_id.clone())).await.unwrap().unwrap_or_default();
                let may_go_back = matches!(&instance.state, InstanceState::Resized { before } if before.disk.is_some());
                assert_eq!(!kept.is_empty(), may_go_back, "{kept:?} of {instance:?}");
            }
        }
    }
    let images = world.storage.pool(&settings.images_pool);
    for image in seen.images.iter().filter(|image| image.status == ImageStatus::Active) {
        let snapshots = images.list_snapshots(image_name(image.id).into()).await.unwrap();
        let snapshots = snapshots.unwrap_or_else(|| panic!("the data of {image:?} is gone"));
        let ready = snapshots.iter().any(|s| s.name == IMAGE_SNAPSHOT && s.protection == Protection::Protected);
        assert!(ready, "{image:?} has these snapshots: {snapshots:?}");
    }
}

/// Each instance that has a host has its claim there, and nobody else has any.
async fn claims_are_right(life: &Life, seen: &Seen) {
    let placed = seen.instances.iter().filter(|instance| instance.state != InstanceState::Deleted && instance.host_id.is_some());
    let expected = placed.fold((0, 0), |sum, instance| {
        let kept = match &instance.state {
            InstanceState::Resized { before } => Some(&before.flavor),
            _ => None,
        };
        [Some(&instance.flavor), kept]
            .into_iter()
            .flatten()
            .fold(sum, |(vcpus, ram), flavor| (vcpus + u64::from(flavor.vcpus), ram + flavor.ram_mib))
    });
    let candidates = life.control.database().candidates().await.unwrap();
    let claimed =
        candidates.iter().fold((0, 0), |(vcpus, ram), candidate| (vcpus + candidate.usage.vcpus, ram + candidate.usage.ram_mib));
    assert_eq!(claimed, expected, "claims of {:?}", seen.instances);
}

/// That nothing is left when everything was deleted: no disk, no guest, no claim, no record.
pub fn check_empty(world: &World, life: &mut Life) {
    check(world, life);
    life.block_on(async {
        let seen = look(world, life).await;
        assert!(seen.guests.is_empty(), "{:?}", seen.guests);
        let disks = world.storage.pool(&life.control.settings().vms_pool).list_images().await.unwrap();
        assert!(disks.is_empty(), "{disks:?}");
        for instance in &seen.instances {
            assert_eq!(instance.state, InstanceState::Deleted);
            let user_data = life.control.database().get_user_data(instance.id).await.unwrap();
            assert_eq!(user_data, None, "it outlived {instance:?}");
        }
    });
}

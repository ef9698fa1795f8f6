//! A reconciler on a real Ceph and a real database: each kind of finding is made and found, and nothing else; a cloud in
//! which instances come and go has none.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cuttle_compute_protocol::{Action, Command, HeldSecret, secret_usage, secret_uuid};
use cuttle_database::{NewInstance, Placement};
use cuttle_model::capacity::Claim;
use cuttle_model::clock::{Clock, SystemClock, Timestamp};
use cuttle_model::disk::{Disk, DiskRole, image_name, owner, root_disk_name};
use cuttle_model::fault::{Fault, FaultKind};
use cuttle_model::ids::{CommandId, Epoch, InstanceId, OperationId, RandomIds};
use cuttle_model::instance::{Instance, InstanceState, Task};
use cuttle_model::machine::Request;
use cuttle_model::operation::{Operation, OperationKind, OperationStatus, Subject};
use cuttle_operations::reconcile::{Kind, Mode, Report, reconcile};
use cuttle_operations::{Control, Parts};
use cuttle_rbd_backend::{ClientCaps, ImageInfo, ImageRef, Metadata, Place, WriterOptions};
use support::{Answer, Life, World, address, connect};
use uuid::Uuid;

/// One test at a time: cephx identities are the whole cluster's.
static CLUSTER: Mutex<()> = Mutex::new(());

/// An hour from now, when what is in the trash should have been purged.
struct Later;

impl Clock for Later {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(Duration::from_secs(3600))
    }
}

/// Another control node on the same database and Ceph, with this clock; it works on nothing.
fn node(life: &Life, world: &World, clock: impl Clock + 'static) -> Control {
    let parts = Parts {
        database: life.control.database().clone(),
        ceph: life.control.ceph(),
        connect: Arc::new(address()),
        clock: Arc::new(clock),
        ids: Arc::new(RandomIds),
        settings: world.settings.clone(),
        probe: None,
    };
    life.block_on(Control::join(parts)).unwrap()
}

fn found(report: &Report) -> BTreeSet<(Kind, String)> {
    report.findings.iter().map(|finding| (finding.kind, finding.subject.clone())).collect()
}

/// Rows and images, made by hand.
struct Hands<'a> {
    life: &'a Life,
    like: Instance,
    vms: String,
}

impl Hands<'_> {
    fn row(&self, change: impl FnOnce(&mut Instance)) -> Instance {
        self.insert(change, None, None)
    }

    fn insert(&self, change: impl FnOnce(&mut Instance), placement: Option<Placement>, operation: Option<Operation>) -> Instance {
        let mut instance = Instance {
            id: InstanceId::new(&RandomIds),
            state: InstanceState::Stopped,
            task: None,
            host_id: None,
            epoch: Epoch::NONE,
            running_allowed: None,
            root_disk: None,
            generation: 1,
            ..self.like.clone()
        };
        change(&mut instance);
        let placement = placement.map(|limits| {
            let claim = Claim { instance_id: instance.id, ..limits.claim };
            Placement { claim, ..limits }
        });
        let operation = operation.map(|operation| Operation { subject: Subject::Instance(instance.id), ..operation });
        let new = NewInstance {
            instance: instance.clone(),
            placement,
            operation,
            quota: None,
            user_data: None,
            placing: Default::default(),
        };
        self.life.block_on(self.life.control.database().insert_instance(&new)).unwrap();
        instance
    }

    fn image(&self, name: &str, metadata: &[(&str, String)]) -> ImageInfo {
        let metadata: Metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        self.life.block_on(self.life.control.ceph().pool(&self.vms).create_image(name, 1 << 20, &metadata)).unwrap()
    }

    fn own(&self, name: &str, row: &Instance) {
        let metadata = Metadata::from([(owner::INSTANCE.to_owned(), row.id.to_string())]);
        self.life.block_on(self.life.control.ceph().pool(&self.vms).set_metadata(name.into(), &metadata)).unwrap();
    }

    fn disk(&self, name: &str, image_id: &str) -> Disk {
        let (name, image_id) = (name.to_owned(), image_id.to_owned());
        Disk { role: DiskRole::Root, pool: self.vms.clone(), name, image_id, size_bytes: 1 << 20 }
    }
}

#[test]
fn each_kind_of_finding_is_found_and_nothing_else() {
    let _one = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World::in_own_pools("reconcile");
    let life = world.begin();
    let image = life.image(&world);
    let (kept, lost) = (life.create(&world, &image), life.create(&world, &image));
    for id in [kept, lost] {
        assert_eq!(life.settled(id).state, InstanceState::Active);
    }
    let later = node(&life, &world, Later);
    let clean = life.block_on(reconcile(&later, Mode::DryRun)).unwrap();
    assert!(clean.is_clean() && clean.foreign_count == 0, "{clean:#?}");
    assert_eq!((clean.looked_at.images, clean.looked_at.instances, clean.looked_at.guests), (3, 2, 2));

    let hands = Hands { life: &life, like: life.instance(kept), vms: world.settings.vms_pool.clone() };
    let (database, ceph) = (life.control.database().clone(), life.control.ceph());
    let vms = ceph.pool(&hands.vms);
    let mut expected = BTreeSet::new();
    let mut expect = |kind, subject: &str| assert!(expected.insert((kind, subject.to_owned())));

    // Images that nobody has.
    let deleted = hands.row(|row| row.state = InstanceState::Deleted);
    let name = root_disk_name(deleted.id);
    hands.image(&name, &[(owner::INSTANCE, deleted.id.to_string())]);
    expect(Kind::Orphan, &name);
    hands.image("a-copy", &[(owner::INSTANCE, kept.to_string())]);
    expect(Kind::Orphan, "a-copy");
    hands.image("of-another-cloud", &[(owner::INSTANCE, Uuid::new_v5(&Uuid::NAMESPACE_OID, b"x").to_string())]);
    expect(Kind::UnknownOwner, "of-another-cloud");
    hands.image("foreign", &[]);
    // By its name alone it would be an instance's.
    hands.image(&format!("{kept}_disk.foreign"), &[]);

    // Disks that are not there.
    let missing = hands.row(|row| row.root_disk = Some(hands.disk("nowhere", "ffffffffffff")));
    expect(Kind::MissingDisk, "nowhere");
    let trashed = hands.image("trashed", &[(owner::INSTANCE, missing.id.to_string())]);
    hands.row(|row| row.root_disk = Some(hands.disk("trashed", &trashed.id)));
    life.block_on(vms.trash_move("trashed", Duration::from_secs(86_400))).unwrap();
    expect(Kind::TrashedDisk, "trashed");
    let misnamed = hands.image("misnamed", &[]);
    let row = hands.row(|row| row.root_disk = Some(hands.disk("as-it-should-be", &misnamed.id)));
    hands.own("misnamed", &row);
    expect(Kind::MisnamedDisk, "misnamed");
    hands.image("overdue", &[(owner::INSTANCE, kept.to_string())]);
    life.block_on(vms.trash_move("overdue", Duration::ZERO)).unwrap();
    expect(Kind::OverdueTrash, "overdue");
    // An image whose data was renamed by hand: it has none, and nobody has that.
    let other = life.image(&world);
    let images = ceph.pool(&world.settings.images_pool);
    life.block_on(images.rename(&image_name(other.id), "renamed")).unwrap();
    expect(Kind::MissingImageData, &other.id.to_string());
    expect(Kind::Orphan, "renamed");

    // Somebody has a disk open.
    let open = hands.image("open", &[]);
    let row = hands.row(|row| row.root_disk = Some(hands.disk("open", &open.id)));
    hands.own("open", &row);
    let stranger = life.block_on(connect());
    let writer = life.block_on(async {
        let writer = stranger.pool(&hands.vms).open_writer("open", WriterOptions::default()).await.unwrap();
        writer.write_at(0, bytes::Bytes::from_static(&[1; 512])).await.unwrap();
        writer
    });
    expect(Kind::UnrecordedClient, "open");
    let user = format!("client.cuttle.gone-{}.3", missing.id);
    let caps = ClientCaps { mon: "profile rbd".into(), ..ClientCaps::default() };
    life.block_on(ceph.ensure_client(&user, &caps)).unwrap();
    expect(Kind::UnneededUser, &user);

    // Hosts.
    let host = life.block_on(database.find_host(&"test-host".parse().unwrap())).unwrap().unwrap();
    let claim = Claim::of(kept, host.id, &hands.like.flavor);
    let placement = Placement::new(claim, 100, 100_000);
    let homeless = hands.insert(|row| row.host_id = Some(host.id), Some(placement), None);
    let homeless = Instance { host_id: None, ..homeless };
    assert_eq!(life.block_on(database.update_instance(&homeless, None)).unwrap(), cuttle_database::Written::Done);
    expect(Kind::ClaimWithoutInstance, &homeless.id.to_string());
    let bare = hands.row(|row| row.host_id = Some(host.id));
    expect(Kind::InstanceWithoutClaim, &bare.id.to_string());
    let unknown = InstanceId::new(&RandomIds);
    life.block_on(world.agent.appear(unknown, Epoch(1)));
    expect(Kind::UnknownGuest, &unknown.to_string());
    life.block_on(world.agent.lose(lost));
    expect(Kind::MissingGuest, &lost.to_string());
    let held = |client: &str| HeldSecret { uuid: secret_uuid(ceph.fsid(), client), usage: secret_usage(ceph.fsid(), client) };
    let (old, current) = (held("client.cuttle.test-host.77"), held(&host.ceph_client()));
    let foreign = HeldSecret { uuid: Uuid::nil(), usage: "client.nova secret".into() };
    expect(Kind::UnneededSecret, &old.uuid.to_string());
    world.agent.hold([old, current, foreign]);

    // What stands still.
    let command = Command {
        id: CommandId::new(&RandomIds),
        instance_id: kept,
        epoch: Epoch(1),
        action: Action::ReadConsole { max_bytes: 1 },
        not_after: SystemClock.now(),
    };
    world.agent.next("read_console", [Answer::Silence]);
    life.block_on(database.insert_command(host.id, &command)).unwrap();
    life.block_on(world.agent.has_received("read_console"));
    expect(Kind::OverdueCommand, &command.id.to_string());
    let parked = Operation {
        id: OperationId::new(&RandomIds),
        kind: OperationKind::StopInstance,
        subject: Subject::Instance(kept),
        project_id: world.who.project_id,
        user_id: world.who.user_id,
        request_id: world.who.request_id.clone(),
        status: OperationStatus::Parked,
        next_step: 1,
        state: serde_json::json!({}),
        fault: Some(Fault::new(FaultKind::Storage, "as the test wants it")),
        cancel_requested: false,
        lease: None,
        started_at: SystemClock.now(),
        finished_at: Some(SystemClock.now()),
    };
    expect(Kind::StuckOperation, &parked.id.to_string());
    hands.insert(|_| {}, None, Some(parked));
    let idle = hands.row(|row| row.task = Some(Task::Stopping));
    expect(Kind::IdleTask, &idle.id.to_string());

    let report = life.block_on(reconcile(&later, Mode::DryRun)).unwrap();
    assert_eq!(found(&report), expected, "{report:#?}");
    assert_eq!(expected.iter().map(|(kind, _)| *kind).collect::<BTreeSet<_>>(), BTreeSet::from(Kind::ALL), "each kind is made");
    assert_eq!(report.foreign_count, 2, "{:?}", report.foreign);
    assert!(report.unchecked.is_empty(), "{:?}", report.unchecked);
    let stuck = report.findings.iter().find(|finding| finding.kind == Kind::StuckOperation).unwrap();
    assert!(stuck.message.contains("as the test wants it"), "{}", stuck.message);

    // Looking has changed nothing; acting moves orphans, and of those only what nobody has open.
    let again = life.block_on(reconcile(&later, Mode::DryRun)).unwrap();
    assert_eq!(found(&again), expected);
    let holder = life.block_on(async {
        let writer = stranger.pool(&hands.vms).open_writer("a-copy", WriterOptions::default()).await.unwrap();
        writer.write_at(0, bytes::Bytes::from_static(&[1; 512])).await.unwrap();
        writer
    });
    let acted = life.block_on(reconcile(&later, Mode::TrashOrphans)).unwrap();
    assert_eq!(found(&acted), expected);
    let orphans = |report: &Report| -> Vec<(String, Option<String>)> {
        let orphans = report.findings.iter().filter(|finding| finding.kind == Kind::Orphan);
        orphans.map(|finding| (finding.subject.clone(), finding.action.clone())).collect()
    };
    for (subject, action) in orphans(&acted) {
        let left = action.unwrap().starts_with("left where it is");
        assert_eq!(left, subject == "a-copy", "{subject}");
    }
    let left: Vec<String> =
        orphans(&life.block_on(reconcile(&later, Mode::DryRun)).unwrap()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(left, ["a-copy"]);
    life.block_on(async {
        assert!(
            vms.info("of-another-cloud".into()).await.unwrap().is_some() && vms.info("foreign".into()).await.unwrap().is_some()
        );
        let entry = vms.trash_list().await.unwrap().into_iter().find(|entry| entry.name == name).unwrap();
        vms.trash_restore(&entry.id, &name).await.unwrap();
        let places = vms.places(std::slice::from_ref(&entry.id)).await.unwrap();
        assert_eq!(places[&entry.id], Place::Named(name.clone()));
        assert!(vms.info(ImageRef::id(&entry.id)).await.unwrap().is_some());
        for writer in [writer, holder] {
            writer.finish().await.unwrap();
        }
        ceph.remove_client(&user).await.unwrap();
    });
    life.stop();
}

#[test]
fn instances_that_come_and_go_are_no_findings() {
    let _one = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World::in_own_pools("reconcile-clean");
    let life = world.begin();
    let image = life.image(&world);
    let kept = life.create(&world, &image);
    assert_eq!(life.settled(kept).state, InstanceState::Active);
    let now = node(&life, &world, SystemClock);
    let mut runs = 0;
    for _ in 0..4 {
        let ids = [life.create(&world, &image), life.create(&world, &image)];
        // While they are made, are there, and are deleted.
        let clean = |runs: &mut u32| {
            *runs += 1;
            let report = life.block_on(reconcile(&now, Mode::DryRun)).unwrap();
            assert!(report.is_clean(), "run {runs}: {report:#?}");
        };
        clean(&mut runs);
        for id in ids {
            assert_eq!(life.settled(id).state, InstanceState::Active);
        }
        clean(&mut runs);
        for id in ids {
            life.block_on(cuttle_operations::power::request(&life.control, &world.who, id, Request::Delete)).unwrap();
        }
        clean(&mut runs);
        for id in ids {
            assert_eq!(life.settled(id).state, InstanceState::Deleted);
        }
    }
    life.stop();
}

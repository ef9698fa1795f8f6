//! Each operation, made to fail or cut off in the middle, on a real Ceph and a real database: it ends,
//! one way or the other, and leaves nothing behind.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

mod support;

use cuttle_model::fault::FaultKind;
use cuttle_model::ids::Epoch;
use cuttle_model::instance::{InstanceState, PowerState, StateName};
use cuttle_model::machine::Request;
use cuttle_operations::RequestError;
use cuttle_operations::create::CreateInstance;
use support::{Answer, Life, World};

fn ask(life: &Life, world: &World, id: cuttle_model::ids::InstanceId, request: Request) {
    life.block_on(cuttle_operations::power::request(&life.control, &world.who, id, request)).unwrap();
}

#[test]
fn a_create_records_its_clients_before_the_guest_runs() {
    let world = World::new();
    let life = world.begin();
    let id = life.create(&world, &life.image(&world));
    let instance = life.settled(id);
    assert_eq!(instance.state, InstanceState::Active);
    assert_eq!((instance.power, instance.epoch), (PowerState::Running, Epoch(1)));
    assert_eq!(instance.running_allowed, Some(Epoch(1)));
    assert_eq!(life.open_clients(id), 1);
    assert_eq!(life.claimed(), (1, 512));
    assert_eq!(life.disk(id), instance.root_disk.map(|disk| disk.image_id));
    let received: Vec<_> = world.agent.received().into_iter().map(|(action, _)| action).collect();
    assert_eq!(received, ["create_guest", "resume_guest"]);
    life.stop();
}

#[test]
fn a_create_that_the_host_cannot_do_is_undone() {
    for action in ["create_guest", "resume_guest"] {
        let world = World::new();
        world.agent.next(action, [Answer::Fail { retry: false }]);
        let life = world.begin();
        let id = life.create(&world, &life.image(&world));
        let InstanceState::Error { fault } = life.settled(id).state else { panic!("not in error") };
        assert_eq!(fault.kind, FaultKind::Hypervisor);
        assert!(fault.message.contains("as the test wants it"), "{fault}");
        life.assert_nothing_left(id);
        assert!(life.in_trash(id));
        assert_eq!(life.block_on(world.agent.running()), []);
        life.stop();
    }
}

#[test]
fn what_may_work_later_is_tried_again() {
    let world = World::new();
    world.agent.next("create_guest", [Answer::Fail { retry: true }, Answer::Fail { retry: true }]);
    let life = world.begin();
    let id = life.create(&world, &life.image(&world));
    assert_eq!(life.settled(id).state, InstanceState::Active);
    assert_eq!(world.agent.received().iter().filter(|(action, _)| *action == "create_guest").count(), 3);
    life.stop();
}

#[test]
fn a_create_is_finished_by_the_next_process_wherever_the_first_was_killed() {
    for action in ["create_guest", "resume_guest"] {
        let world = World::new();
        world.agent.next(action, [Answer::Silence]);
        let life = world.begin();
        let id = life.create(&world, &life.image(&world));
        life.block_on(world.agent.has_received(action));
        life.kill();

        world.agent.forget_silence();
        let next = world.begin();
        assert_eq!(next.settled(id).state, InstanceState::Active, "killed while {action} was under way");
        assert_eq!((next.open_clients(id), next.claimed()), (1, (1, 512)));
        next.stop();
    }
}

#[test]
fn a_create_is_finished_though_its_process_was_killed_at_once() {
    let world = World::new();
    let life = world.begin();
    let image = life.image(&world);
    let id = life.create(&world, &image);
    life.kill();
    let next = world.begin();
    assert_eq!(next.settled(id).state, InstanceState::Active);
    next.stop();
}

#[test]
fn an_undo_is_finished_by_the_next_process() {
    let world = World::new();
    world.agent.next("create_guest", [Answer::Fail { retry: false }]);
    world.agent.next("stop_guest", [Answer::Silence]);
    let life = world.begin();
    let id = life.create(&world, &life.image(&world));
    life.block_on(world.agent.has_received("stop_guest"));
    life.kill();

    world.agent.forget_silence();
    let next = world.begin();
    assert_eq!(next.settled(id).state.name(), StateName::Error);
    next.assert_nothing_left(id);
    next.stop();
}

#[test]
fn an_undo_that_fails_for_good_parks_the_instance_and_keeps_its_claim() {
    let world = World::new();
    world.agent.next("create_guest", [Answer::Fail { retry: false }]);
    world.agent.next("stop_guest", [Answer::Fail { retry: false }]);
    let life = world.begin();
    let id = life.create(&world, &life.image(&world));
    let InstanceState::Error { fault } = life.settled(id).state else { panic!("not in error") };
    assert!(fault.message.contains("undoing 'create guest' failed"), "{fault}");
    assert_eq!(life.claimed(), (1, 512), "something of it may still be on the host");
    assert!(life.disk(id).is_some(), "nobody takes a disk away that a guest may have open");
    ask(&life, &world, id, Request::Delete);
    assert_eq!(life.settled(id).state, InstanceState::Deleted);
    life.assert_nothing_left(id);
    life.stop();
}

#[test]
fn a_delete_cancels_a_create_and_waits_for_its_undo() {
    let world = World::new();
    world.agent.next("create_guest", [Answer::Silence]);
    let life = world.begin();
    let id = life.create(&world, &life.image(&world));
    life.block_on(world.agent.has_received("create_guest"));
    ask(&life, &world, id, Request::Delete);
    ask(&life, &world, id, Request::Delete); // a second one changes nothing
    assert_eq!(life.settled(id).state, InstanceState::Deleted);
    life.assert_nothing_left(id);
    assert!(life.in_trash(id));
    life.stop();
}

#[test]
fn a_delete_does_not_wait_for_a_host_that_is_silent() {
    let world = World::new();
    let life = world.begin();
    let id = life.create(&world, &life.image(&world));
    assert_eq!(life.settled(id).state, InstanceState::Active);
    world.agent.next("forget_guest", [Answer::Silence]);
    ask(&life, &world, id, Request::Delete);
    let instance = life.settled(id);
    assert_eq!(instance.state, InstanceState::Deleted);
    assert!(life.in_trash(id));
    assert_eq!(life.open_clients(id), 1, "nobody has proven that its client is gone");
    let host = instance.host_id.unwrap();
    let pending = life.block_on(async { life.control.database().pending_commands(host).await.unwrap() });
    assert_eq!(pending.len(), 1, "the host is told when it is back");
    life.stop();
}

#[test]
fn an_instance_starts_again_only_when_its_old_client_is_gone() {
    let world = World::new();
    let life = world.begin();
    let id = life.create(&world, &life.image(&world));
    assert_eq!(life.settled(id).state, InstanceState::Active);
    world.agent.next("stop_guest", [Answer::GoneButWatching]);
    ask(&life, &world, id, Request::Stop);
    let stopped = life.settled(id);
    assert_eq!((stopped.state, stopped.power), (InstanceState::Stopped, PowerState::Shutdown));
    assert_eq!(life.open_clients(id), 1, "its watcher is still there");

    world.agent.next("stop_guest", std::iter::repeat_n(Answer::GoneButWatching, world.settings.step_attempts as usize));
    ask(&life, &world, id, Request::Start);
    let refused = life.settled(id);
    assert_eq!(
        (refused.state, refused.epoch),
        (InstanceState::Stopped, Epoch(1)),
        "no epoch begins while an old client may write"
    );

    life.block_on(world.agent.let_go());
    ask(&life, &world, id, Request::Start);
    let started = life.settled(id);
    assert_eq!((started.state, started.epoch), (InstanceState::Active, Epoch(2)));
    assert_eq!(started.running_allowed, Some(Epoch(2)));
    life.stop();
}

#[test]
fn without_a_host_the_instance_says_why() {
    let world = World::new();
    let life = world.begin();
    let image = life.image(&world);
    // The host has 4 virtual CPUs.
    for _ in 0..4 {
        let id = life.create(&world, &image);
        assert_eq!(life.settled(id).state, InstanceState::Active);
    }
    let id = life.create(&world, &image);
    let InstanceState::Error { fault } = life.settled(id).state else { panic!("not in error") };
    assert_eq!(fault.kind, FaultKind::NoValidHost);
    assert!(fault.message.contains("CoreFilter removed 1 host (nearest miss: 1 vCPU short)"), "{fault}");
    assert_eq!(life.claimed(), (4, 2048));
    life.stop();
}

#[test]
fn requests_at_the_same_time_never_overcommit() {
    let world = World::new();
    let life = world.begin();
    let image = life.image(&world);
    let request = |name: String| CreateInstance { name, ..life.request(&world, &image) };
    let creates = (0..8).map(|n| cuttle_operations::create::create(&life.control, &world.who, request(format!("test-{n}"))));
    let made = life.block_on(futures::future::join_all(creates));
    let ids: Vec<_> = made.into_iter().map(|instance| instance.unwrap().id).collect();
    let active = ids.iter().filter(|id| life.settled(**id).state == InstanceState::Active).count();
    assert_eq!((active, life.claimed()), (4, (4, 2048)));
    life.stop();
}

#[test]
fn an_upload_that_breaks_off_leaves_a_queued_image_and_no_data() {
    use cuttle_operations::ImportError;
    let world = World::new();
    let life = world.begin();
    let block = || bytes::Bytes::from(vec![9; 5 << 20]);
    type Chunks = Vec<Result<bytes::Bytes, String>>;
    let broken: Vec<(Chunks, Option<u64>)> = vec![
        (vec![Ok(block())], Some(6 << 20)),
        (vec![Ok(block()), Ok(block())], Some(6 << 20)),
        (vec![Ok(block()), Err("connection reset".into())], None),
        (vec![], None),
        (vec![Ok(bytes::Bytes::from_static(b"QFI\xfb qcow2"))], None),
    ];
    for (chunks, expected) in broken {
        let image = life.queued_image(&world);
        let data = futures::stream::iter(chunks);
        let error = life.block_on(cuttle_operations::image::import(&life.control, &world.who, image.clone(), data, expected));
        let error = error.expect_err("it is broken");
        assert!(!matches!(error, ImportError::Storage(_) | ImportError::Database(_)), "{error}");
        assert!(!life.has_data(&image), "{error}");
        let row = life.block_on(async { life.control.database().get_image(image.id).await.unwrap().unwrap() });
        assert_eq!(row.status, cuttle_model::image::ImageStatus::Queued, "{error}");
    }
    life.stop();
}

#[test]
fn an_upload_of_unknown_length_gets_its_exact_size() {
    let world = World::new();
    let life = world.begin();
    let image = life.queued_image(&world);
    let chunks = (0..9).map(|n| Ok::<_, String>(bytes::Bytes::from(vec![n + 1; 1_000_001])));
    let data = futures::stream::iter(chunks.collect::<Vec<_>>());
    let stored = life.block_on(cuttle_operations::image::import(&life.control, &world.who, image, data, None)).unwrap();
    assert_eq!(stored.size_bytes, Some(9_000_009));
    assert_eq!(stored.virtual_size_bytes, Some(9_000_448), "the next multiple of a sector");
    life.stop();
}

#[test]
fn an_image_with_instances_can_be_deleted_and_they_live_on() {
    let world = World::new();
    let life = world.begin();
    let image = life.image(&world);
    let id = life.create(&world, &image);
    assert_eq!(life.settled(id).state, InstanceState::Active);
    let protected = cuttle_model::image::Image { protected: true, ..image.clone() };
    let refused = life.block_on(cuttle_operations::image::delete(&life.control, &world.who, protected));
    assert!(matches!(refused, Err(RequestError::ImageProtected)));
    life.block_on(cuttle_operations::image::delete(&life.control, &world.who, image.clone())).unwrap();
    assert!(!life.has_data(&image));
    ask(&life, &world, id, Request::Stop);
    assert_eq!(life.settled(id).state, InstanceState::Stopped);
    ask(&life, &world, id, Request::Start);
    assert_eq!(life.settled(id).state, InstanceState::Active);
    life.stop();
}

#[test]
fn a_reboot_runs_a_new_guest_in_a_new_epoch() {
    for (request, from) in [
        (Request::Reboot, InstanceState::Active),
        (Request::RebootHard, InstanceState::Active),
        (Request::RebootHard, InstanceState::Stopped),
    ] {
        let world = World::new();
        let life = world.begin();
        let id = life.create(&world, &life.image(&world));
        assert_eq!(life.settled(id).state, InstanceState::Active);
        if from == InstanceState::Stopped {
            ask(&life, &world, id, Request::Stop);
            assert_eq!(life.settled(id).state, InstanceState::Stopped);
        }
        ask(&life, &world, id, request);
        let instance = life.settled(id);
        assert_eq!((instance.state, instance.power), (InstanceState::Active, PowerState::Running));
        assert_eq!((instance.epoch, instance.running_allowed), (Epoch(2), Some(Epoch(2))));
        assert_eq!(life.open_clients(id), 1, "the old guest's client is closed, the new one's recorded");
        assert_eq!(life.claimed(), (1, 512));
        life.stop();
    }
}

#[test]
fn a_reboot_whose_guest_cannot_be_made_again_says_so_and_a_hard_one_mends_it() {
    let world = World::new();
    let life = world.begin();
    let id = life.create(&world, &life.image(&world));
    assert_eq!(life.settled(id).state, InstanceState::Active);
    world.agent.next("create_guest", [Answer::Fail { retry: false }]);
    ask(&life, &world, id, Request::Reboot);
    let instance = life.settled(id);
    let InstanceState::Error { fault } = &instance.state else { panic!("{:?}", instance.state) };
    assert!(fault.message.contains("as the test wants it"), "{fault}");
    assert_eq!(instance.power, PowerState::Shutdown);
    assert_eq!(life.open_clients(id), 0);
    assert!(life.disk(id).is_some() && life.claimed() == (1, 512));
    ask(&life, &world, id, Request::RebootHard);
    assert_eq!(life.settled(id).state, InstanceState::Active);
    life.stop();
}

#[test]
fn a_reboot_that_the_host_refuses_leaves_the_guest_as_it_was() {
    let world = World::new();
    let life = world.begin();
    let id = life.create(&world, &life.image(&world));
    assert_eq!(life.settled(id).state, InstanceState::Active);
    world.agent.next("stop_guest", [Answer::Fail { retry: false }]);
    ask(&life, &world, id, Request::RebootHard);
    let instance = life.settled(id);
    // Nobody guesses how far the host came: its agent says so with its next report.
    assert_eq!((instance.state, instance.power, instance.epoch), (InstanceState::Active, PowerState::Unknown, Epoch(1)));
    life.stop();
}

#[test]
fn a_reboot_is_finished_by_the_next_process_wherever_the_first_was_killed() {
    for action in ["stop_guest", "create_guest", "resume_guest"] {
        let world = World::new();
        let life = world.begin();
        let id = life.create(&world, &life.image(&world));
        assert_eq!(life.settled(id).state, InstanceState::Active);
        world.agent.next(action, [Answer::Silence]);
        ask(&life, &world, id, Request::Reboot);
        life.block_on(world.agent.has_received(action));
        life.kill();

        world.agent.forget_silence();
        let next = world.begin();
        assert_eq!(next.settled(id).state, InstanceState::Active, "killed while {action} was under way");
        assert_eq!(next.open_clients(id), 1);
        next.stop();
    }
}

#[test]
fn an_instance_that_was_never_made_cannot_be_run() {
    let world = World::new();
    world.agent.next("create_guest", [Answer::Fail { retry: false }]);
    let life = world.begin();
    let id = life.create(&world, &life.image(&world));
    assert_eq!(life.settled(id).state.name(), StateName::Error);
    let refused = life.block_on(cuttle_operations::power::request(&life.control, &world.who, id, Request::RebootHard));
    assert!(matches!(refused, Err(RequestError::NoDisk)), "{refused:?}");
    life.stop();
}

#[test]
fn every_disk_of_an_instance_is_made_recorded_and_trashed() {
    use cuttle_model::disk::{DiskRole, disk_name};
    let world = World::new();
    let life = world.begin();
    let flavor = cuttle_model::flavor::Flavor { ephemeral_gib: 1, swap_mib: 64, ..world.flavor() };
    let id = life.create_with(&world, &life.image(&world), |request| request.flavor = flavor);
    let instance = life.settled(id);
    assert_eq!(instance.state, InstanceState::Active);
    let sizes: Vec<_> = instance.disks().map(|disk| (disk.role, disk.name.clone(), disk.size_bytes)).collect();
    let expected = [(DiskRole::Root, 1 << 30), (DiskRole::Ephemeral, 1 << 30), (DiskRole::Swap, 64 << 20)];
    assert_eq!(sizes, expected.map(|(role, size)| (role, disk_name(id, role), size)));
    assert_eq!(life.open_clients(id), 3, "each disk has a client of its own");

    ask(&life, &world, id, Request::Reboot);
    assert_eq!(life.settled(id).state, InstanceState::Active);
    assert_eq!(life.open_clients(id), 3);

    ask(&life, &world, id, Request::Delete);
    assert_eq!(life.settled(id).state, InstanceState::Deleted);
    let trashed = life.trashed(id);
    for (role, _) in expected {
        assert!(trashed.contains(&disk_name(id, role)), "{role:?}: {trashed:?}");
    }
    assert_eq!((life.open_clients(id), life.claimed()), (0, (0, 0)));
    life.stop();
}

#[test]
fn a_create_that_fails_leaves_none_of_its_disks() {
    use cuttle_model::disk::{DiskRole, disk_name};
    let world = World::new();
    world.agent.next("create_guest", [Answer::Fail { retry: false }]);
    let life = world.begin();
    let flavor = cuttle_model::flavor::Flavor { ephemeral_gib: 1, swap_mib: 64, ..world.flavor() };
    let id = life.create_with(&world, &life.image(&world), |request| request.flavor = flavor);
    let instance = life.settled(id);
    assert_eq!(instance.state.name(), StateName::Error);
    assert_eq!(instance.disks().count(), 0);
    life.assert_nothing_left(id);
    let trashed = life.trashed(id);
    for role in [DiskRole::Root, DiskRole::Ephemeral, DiskRole::Swap] {
        assert!(trashed.contains(&disk_name(id, role)), "{role:?}: {trashed:?}");
    }
    life.stop();
}

#[test]
fn a_flavor_whose_limits_no_disk_can_have_is_refused() {
    let world = World::new();
    let life = world.begin();
    let image = life.image(&world);
    let mut request = life.request(&world, &image);
    request.flavor.extra_specs.insert("quota:disk_read_iops_sec".into(), "fast".into());
    let refused = life.block_on(cuttle_operations::create::create(&life.control, &world.who, request));
    let Err(RequestError::BadFlavor(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.key, "quota:disk_read_iops_sec");
    life.stop();
}

/// What a config drive's image holds.
fn drive_bytes(life: &Life, id: cuttle_model::ids::InstanceId) -> Vec<u8> {
    let name = cuttle_model::disk::disk_name(id, cuttle_model::disk::DiskRole::Config);
    life.block_on(async {
        let pool = life.control.ceph().pool(&life.control.settings().vms_pool);
        let reader = pool.open_reader(cuttle_rbd_backend::ImageRef::Name(name), None).await.unwrap().expect("there is a drive");
        let size = usize::try_from(reader.size_bytes()).unwrap();
        reader.read_at(0, size).await.unwrap().to_vec()
    })
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

const PASSWORD: &str = "Correct-Horse-77";

#[test]
fn a_config_drive_tells_the_guest_who_it_is_and_the_database_keeps_no_password() {
    use cuttle_operations::config_drive::{GuestInputs, password::AdminPassword};
    let world = World::new();
    let life = world.begin();
    let (password, delivery) = AdminPassword::new(secrecy::SecretString::from(PASSWORD));
    let user_data = Some("IyEvYmluL3NoCmVjaG8gaGkK".into());
    let guest = GuestInputs { config_drive: None, user_data, admin_password: Some(password) };
    let id = life.create_with(&world, &life.image(&world), |request| request.guest = guest);
    assert!(life.block_on(delivery.within(std::time::Duration::from_secs(30))), "told once it is on the drive");
    let instance = life.settled(id);
    assert_eq!(instance.state, InstanceState::Active);
    assert!(instance.config_drive, "what only a drive can carry makes one");
    assert_eq!(instance.disks().count(), 2);
    assert_eq!(life.open_clients(id), 2, "its client is recorded like any other");
    let drive = drive_bytes(&life, id);
    assert!(holds(&drive[0x8000..0x8800], "config-2"));
    for text in [PASSWORD, &id.to_string(), "#!/bin/sh\necho hi\n"] {
        assert!(holds(&drive, text), "{text}");
    }
    ask(&life, &world, id, Request::RebootHard);
    assert_eq!(life.settled(id).state, InstanceState::Active);
    assert!(drive_bytes(&life, id) == drive, "a reboot leaves the drive as it was");
    ask(&life, &world, id, Request::Delete);
    assert_eq!(life.settled(id).state, InstanceState::Deleted);
    assert_eq!(life.trashed(id).len(), 2);
    let forgotten = life.block_on(async { life.control.database().get_user_data(id).await.unwrap() });
    assert_eq!(forgotten, None);
    assert!(!holds(&world.database_bytes(), PASSWORD), "the password is in the database's files");
    assert!(holds(&world.database_bytes(), &id.to_string()), "the files that were searched are the right ones");
    life.stop();
}

#[test]
fn whoever_was_told_a_password_finds_it_on_the_drive_whenever_the_node_is_killed() {
    use cuttle_operations::config_drive::{GuestInputs, password::AdminPassword};
    for patience_ms in [0, 5, 20, 80, 2000] {
        let world = World::new();
        let life = world.begin();
        let (password, delivery) = AdminPassword::new(secrecy::SecretString::from(PASSWORD));
        let guest = GuestInputs { config_drive: Some(true), admin_password: Some(password), ..GuestInputs::default() };
        let image = life.image(&world);
        let id = life.create_with(&world, &image, |request| request.guest = guest);
        let told = life.block_on(delivery.within(std::time::Duration::from_millis(patience_ms)));
        life.kill();
        let next = world.begin();
        assert_eq!(next.settled(id).state, InstanceState::Active, "killed after {patience_ms} ms");
        let drive = drive_bytes(&next, id);
        assert!(holds(&drive, "meta_data.json") || holds(&drive, "META_DAT"), "a whole drive, whoever made it");
        assert!(!told || holds(&drive, PASSWORD), "told after {patience_ms} ms, but not on the drive");
        next.stop();
    }
}

#[test]
fn what_only_a_drive_can_carry_is_refused_where_none_is_wanted() {
    use cuttle_operations::config_drive::GuestInputs;
    let world = World::new();
    let life = world.begin();
    let image = life.image(&world);
    let mut request = life.request(&world, &image);
    request.guest = GuestInputs { config_drive: Some(false), user_data: Some("YQ==".into()), admin_password: None };
    let refused = life.block_on(cuttle_operations::create::create(&life.control, &world.who, request));
    assert!(matches!(refused, Err(RequestError::DriveNeeded(_))), "{refused:?}");
    assert_eq!(life.claimed(), (0, 0));
    life.stop();
}

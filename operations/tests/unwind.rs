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
use support::{Answer, World, ask};

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
    let world = World::with_one_attempt();
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
    let world = World::with_one_attempt();
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

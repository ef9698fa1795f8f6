//! Reboots, made to fail or cut off in the middle, on a real Ceph and a real database: the guest runs again, or the
//! instance says why not.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

mod support;

use cuttle_model::ids::Epoch;
use cuttle_model::instance::{InstanceState, PowerState, StateName};
use cuttle_model::machine::Request;
use cuttle_model::operation::{OperationStatus, Subject};
use cuttle_operations::RequestError;
use support::{Answer, World, ask};

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
fn a_hard_reboot_takes_the_place_of_a_soft_one_and_a_delete_that_of_both() {
    for (request, statuses) in [
        (Request::RebootHard, vec![OperationStatus::Succeeded, OperationStatus::Undone]),
        (Request::Delete, vec![OperationStatus::Succeeded, OperationStatus::Undone]),
    ] {
        let world = World::new();
        let life = world.begin();
        let id = life.create(&world, &life.image(&world));
        assert_eq!(life.settled(id).state, InstanceState::Active);
        // A guest that does not shut down.
        world.agent.next("stop_guest", [Answer::Silence]);
        ask(&life, &world, id, Request::Reboot);
        life.block_on(world.agent.has_received("stop_guest"));
        ask(&life, &world, id, request);
        let instance = life.settled(id);
        match request {
            Request::Delete => assert_eq!(instance.state, InstanceState::Deleted),
            _ => assert_eq!((instance.state, instance.epoch), (InstanceState::Active, Epoch(2))),
        }
        let operations = life.block_on(async { life.control.database().list_operations(Subject::Instance(id)).await.unwrap() });
        assert_eq!(operations.iter().take(2).map(|done| done.status).collect::<Vec<_>>(), statuses);
        life.stop();
    }
}

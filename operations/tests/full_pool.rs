//! A create meets a pool that is full: it says so, and leaves nothing behind. When there is room again, a new one works.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use cuttle_model::instance::{InstanceState, StateName};
use cuttle_model::machine::Request;
use support::{Life, World};

/// How long Ceph may take to notice a quota.
const LIMIT: Duration = Duration::from_secs(60);

fn set_quota(pool: &str, objects: &str) {
    let conf = std::env::var("CUTTLE_TEST_CEPH_CONF").unwrap();
    let set = ["-c", &conf, "osd", "pool", "set-quota", pool, "max_objects", objects];
    assert!(Command::new("ceph").args(set).status().unwrap().success());
}

fn until_full(life: &Life, pool: &str, full: bool) {
    let begun = Instant::now();
    while life.block_on(life.control.ceph().pool_capacity(pool)).unwrap().full.is_some() != full {
        assert!(begun.elapsed() < LIMIT, "the pool's quota was not noticed");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_create_on_a_full_pool_says_so_and_leaves_nothing() {
    let world = World::in_own_pools("full");
    let life = world.begin();
    let image = life.image(&world);
    let before = life.create(&world, &image);
    assert_eq!(life.settled(before).state, InstanceState::Active);
    let claimed = life.claimed();

    let pool = world.settings.vms_pool.clone();
    set_quota(&pool, "1");
    until_full(&life, &pool, true);
    // At once, when the control plane may not have looked; and when it has looked, before anything is made.
    let mut messages = Vec::new();
    let begun = Instant::now();
    loop {
        let refused = life.create(&world, &image);
        let settled = life.settled(refused);
        let InstanceState::Error { fault } = settled.state else { panic!("{:?}", settled.state) };
        let reason = format!("pool {pool} is full: its quota is used up");
        assert!(fault.message.contains(&reason), "{fault}");
        assert_eq!((life.disk(refused), life.claimed(), life.open_clients(refused)), (None, claimed, 0));
        messages.push(fault.message);
        if messages.last().unwrap().starts_with("No valid host was found") {
            break;
        }
        assert!(begun.elapsed() < LIMIT, "{messages:?}");
        std::thread::sleep(Duration::from_millis(500));
    }

    // Deleting works on a full pool, and makes room.
    life.block_on(cuttle_operations::power::request(&life.control, &world.who, before, Request::Delete)).unwrap();
    assert_eq!(life.settled(before).state.name(), StateName::Deleted);
    assert!(life.in_trash(before));
    set_quota(&pool, "0");
    until_full(&life, &pool, false);
    let begun = Instant::now();
    loop {
        let id = life.create(&world, &image);
        if life.settled(id).state == InstanceState::Active {
            break;
        }
        // The control plane looks again within seconds.
        assert!(begun.elapsed() < LIMIT);
        std::thread::sleep(Duration::from_millis(500));
    }
    life.stop();
}

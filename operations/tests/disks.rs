//! All disks of an instance on a real Ceph and a real database: made, told to the guest, and trashed.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

mod support;

use cuttle_model::instance::{InstanceState, StateName};
use cuttle_model::machine::Request;
use cuttle_operations::RequestError;
use support::{Answer, Life, World, ask};

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
fn a_flavor_that_asks_for_what_no_guest_can_have_is_refused() {
    let world = World::new();
    let life = world.begin();
    let image = life.image(&world);
    for (key, value) in [("quota:disk_read_iops_sec", "fast"), ("hw:cpu_policy", "dedicated")] {
        let mut request = life.request(&world, &image);
        request.flavor.extra_specs.insert(key.into(), value.into());
        let refused = life.block_on(cuttle_operations::create::create(&life.control, &world.who, request));
        let Err(RequestError::BadFlavor(error)) = refused else { panic!("{refused:?}") };
        assert_eq!(error.key, key);
    }
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

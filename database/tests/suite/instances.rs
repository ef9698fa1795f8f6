//! Instances: their birth, their writes.

use cuttle_database::{Error, Insertion, LeaseGuard, NewInstance, Placement, Written};
use cuttle_model::host::Administrative;
use cuttle_model::ids::Epoch;
use cuttle_model::instance::{Instance, InstanceState, Task};
use cuttle_model::operation::Subject;

use crate::lab::Lab;
use crate::rows;

#[tokio::test]
async fn an_instance_is_born_with_its_claim_and_operation() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    lab.database.record_hello(host.id, "boot", &rows::resources(), rows::at(1)).await.unwrap();
    let new = rows::placed(host.id, 4);
    let operation = rows::operation(Subject::Instance(new.instance.id), rows::node());
    let new = NewInstance { operation: Some(operation.clone()), ..new };
    assert_eq!(lab.database.insert_instance(&new).await.unwrap(), Insertion::Inserted);
    assert_eq!(rows::get(&lab.database, &new.instance).await, new.instance);
    assert_eq!(lab.database.get_operation(operation.id).await.unwrap(), Some(operation));
    let candidates = lab.database.candidates().await.unwrap();
    assert_eq!((candidates[0].usage.instances, candidates[0].usage.vcpus, candidates[0].usage.ram_mib), (1, 1, 64));
}

#[tokio::test]
async fn a_host_without_room_takes_nothing_and_nothing_is_written() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    assert_eq!(lab.database.insert_instance(&rows::placed(host.id, 1)).await.unwrap(), Insertion::Inserted);

    let cpus = rows::placed(host.id, 1);
    let mut memory = rows::placed(host.id, 100);
    memory.placement = memory.placement.map(|placement| Placement { ram_limit_mib: 127, ..placement });
    for full in [cpus, memory] {
        let operation = rows::operation(Subject::Instance(full.instance.id), rows::node());
        let full = NewInstance { operation: Some(operation.clone()), ..full };
        assert_eq!(lab.database.insert_instance(&full).await.unwrap(), Insertion::HostFull);
        assert_eq!(lab.database.get_instance(full.instance.id).await.unwrap(), None);
        assert_eq!(lab.database.get_operation(operation.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_disabled_or_unknown_host_takes_nothing() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let disabled = Administrative::Disabled { reason: Some("a fan".to_owned()) };
    assert!(lab.database.set_administrative(host.id, &disabled).await.unwrap());
    for id in [host.id, rows::host("host2").id] {
        assert_eq!(lab.database.insert_instance(&rows::placed(id, 4)).await.unwrap(), Insertion::HostFull);
    }
}

#[tokio::test]
async fn an_instance_for_which_there_is_no_host_is_kept() {
    let lab = Lab::new().await;
    let instance = rows::insert_instance(&lab.database).await;
    assert_eq!(rows::get(&lab.database, &instance).await, instance);
}

#[tokio::test]
async fn a_write_names_the_generation_that_it_read() {
    let lab = Lab::new().await;
    let instance = rows::insert_instance(&lab.database).await;
    let renamed = Instance { name: "two".to_owned(), ..instance.clone() };
    assert_eq!(lab.database.update_instance(&renamed, None).await.unwrap(), Written::Done);
    assert_eq!(lab.database.update_instance(&instance, None).await.unwrap(), Written::Stale);
    let read = rows::get(&lab.database, &instance).await;
    assert_eq!((read.name.as_str(), read.generation), ("two", instance.generation + 1));
}

#[tokio::test]
async fn no_write_changes_the_epoch_or_grants_the_permission_to_run() {
    let lab = Lab::new().await;
    let instance = rows::insert_instance(&lab.database).await;
    let newer = Instance { epoch: Epoch(1), ..instance.clone() };
    let allowed = Instance { running_allowed: Some(Epoch(0)), ..instance.clone() };
    for wrong in [newer, allowed] {
        assert_eq!(lab.database.update_instance(&wrong, None).await.unwrap(), Written::Stale);
    }
    assert_eq!(rows::get(&lab.database, &instance).await, instance);
}

#[tokio::test]
async fn a_guarded_write_needs_the_lease() {
    let lab = Lab::new().await;
    let instance = rows::instance(rows::project());
    let operation = rows::operation(Subject::Instance(instance.id), rows::node());
    let new = NewInstance {
        instance: instance.clone(),
        placement: None,
        operation: Some(operation.clone()),
        quota: None,
        user_data: None,
        placing: Default::default(),
    };
    lab.database.insert_instance(&new).await.unwrap();

    let held = rows::guard(&operation);
    let lost = LeaseGuard { epoch: 2, ..held };
    let changed = Instance { task: Some(Task::Spawning), ..instance.clone() };
    assert_eq!(lab.database.update_instance(&changed, Some(&lost)).await.unwrap(), Written::LeaseLost);
    assert_eq!(rows::get(&lab.database, &instance).await, instance);
    assert_eq!(lab.database.update_instance(&changed, Some(&held)).await.unwrap(), Written::Done);
    assert_eq!(lab.database.update_instance(&changed, Some(&held)).await.unwrap(), Written::Stale);
    assert_eq!(lab.database.update_instance(&changed, Some(&lost)).await.unwrap(), Written::LeaseLost);
}

#[tokio::test]
async fn a_size_beyond_the_column_is_refused_by_name() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let mut new = rows::placed(host.id, 4);
    new.placement.as_mut().unwrap().claim.ram_mib = u64::MAX;
    match lab.database.insert_instance(&new).await {
        Err(Error::BadValue { table, column }) => assert_eq!((table, column), ("claims", "ram_mib")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_permission_to_run_can_be_taken_away() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let instance = rows::insert_instance(&lab.database).await;
    let epoch = lab.database.begin_epoch(instance.id, instance.epoch, host.id).await.unwrap().unwrap();
    assert!(lab.database.allow_running(instance.id, epoch, &[]).await.unwrap());
    let running = rows::get(&lab.database, &instance).await;
    assert_eq!(running.running_allowed, Some(epoch));
    let stopped = Instance { running_allowed: None, state: InstanceState::Stopped, ..running };
    assert_eq!(lab.database.update_instance(&stopped, None).await.unwrap(), Written::Done);
    assert_eq!(rows::get(&lab.database, &instance).await.running_allowed, None);
}

#[tokio::test]
async fn user_data_is_kept_apart_and_forgotten() {
    let lab = Lab::new().await;
    let (with, without) = (rows::instance(rows::project()), rows::instance(rows::project()));
    for (instance, user_data) in [(&with, Some("aGVsbG8=".to_owned())), (&without, None)] {
        let new = NewInstance {
            instance: instance.clone(),
            placement: None,
            operation: None,
            quota: None,
            user_data,
            placing: Default::default(),
        };
        assert_eq!(lab.database.insert_instance(&new).await.unwrap(), Insertion::Inserted);
    }
    assert_eq!(lab.database.get_user_data(with.id).await.unwrap().as_deref(), Some("aGVsbG8="));
    assert_eq!(lab.database.get_user_data(without.id).await.unwrap(), None);
    let listed = lab.database.list_user_data(&[with.id, without.id]).await.unwrap();
    assert_eq!(listed.into_iter().collect::<Vec<_>>(), [(with.id, "aGVsbG8=".to_owned())]);
    assert!(lab.database.list_user_data(&[]).await.unwrap().is_empty());
    for _ in 0..2 {
        lab.database.delete_user_data(with.id).await.unwrap();
        assert_eq!(lab.database.get_user_data(with.id).await.unwrap(), None);
    }
}

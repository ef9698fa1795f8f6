//! Epochs and the clients that may write in them.

use cuttle_compute_protocol::{Action, Outcome, Report};
use cuttle_database::{Elsewhere, LeaseGuard, NewPlace, Placement, Written};
use cuttle_model::client::ClientProof;
use cuttle_model::ids::Epoch;
use cuttle_model::instance::InstanceState;
use cuttle_model::operation::Subject;

use crate::lab::Lab;
use crate::rows;

#[tokio::test]
async fn an_epoch_begins_only_when_no_client_may_still_write() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let instance = rows::insert_instance(&lab.database).await;
    let begin = async |expected| lab.database.begin_epoch(instance.id, Epoch(expected), host.id).await.unwrap();
    assert_eq!(begin(0).await, Some(Epoch(1)));
    assert_eq!(begin(0).await, None, "an epoch begins once");
    let read = rows::get(&lab.database, &instance).await;
    assert_eq!((read.epoch, read.host_id, read.running_allowed), (Epoch(1), Some(host.id), None));
    assert_eq!(read.generation, instance.generation + 1, "older readers must not write it back");

    let clients = [rows::client(instance.id, 1, host.id, "a:0/1"), rows::client(instance.id, 1, host.id, "a:0/2")];
    assert!(lab.database.allow_running(instance.id, Epoch(1), &clients).await.unwrap());
    assert_eq!(lab.database.open_clients(instance.id).await.unwrap(), clients);
    assert_eq!(begin(1).await, None);
    lab.database.close_clients(instance.id, Epoch(0), ClientProof::Gone, rows::at(5)).await.unwrap();
    assert_eq!(begin(1).await, None);
    lab.database.close_clients(instance.id, Epoch(1), ClientProof::Fenced, rows::at(5)).await.unwrap();
    assert!(lab.database.open_clients(instance.id).await.unwrap().is_empty());
    assert_eq!(begin(1).await, Some(Epoch(2)));
    assert_eq!(rows::get(&lab.database, &instance).await.running_allowed, None);
}

#[tokio::test]
async fn a_guest_is_allowed_to_run_only_in_its_epoch_and_on_its_host() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let other = rows::insert_host(&lab.database, "host2").await;
    let instance = rows::insert_instance(&lab.database).await;
    lab.database.begin_epoch(instance.id, Epoch::NONE, host.id).await.unwrap().unwrap();
    let good = rows::client(instance.id, 1, host.id, "a:0/1");
    let elsewhere = rows::client(instance.id, 1, other.id, "a:0/1");
    let older = rows::client(instance.id, 0, host.id, "a:0/1");
    for (epoch, clients) in
        [(0, vec![older.clone()]), (1, vec![older]), (1, vec![elsewhere.clone()]), (1, vec![good.clone(), elsewhere])]
    {
        assert!(!lab.database.allow_running(instance.id, Epoch(epoch), &clients).await.unwrap());
    }
    assert!(lab.database.open_clients(instance.id).await.unwrap().is_empty());

    assert!(lab.database.allow_running(instance.id, Epoch(1), std::slice::from_ref(&good)).await.unwrap());
    let allowed = rows::get(&lab.database, &instance).await;
    assert_eq!(allowed.running_allowed, Some(Epoch(1)));
    assert!(lab.database.allow_running(instance.id, Epoch(1), std::slice::from_ref(&good)).await.unwrap());
    assert_eq!(rows::get(&lab.database, &instance).await, allowed, "again changes nothing");
    assert_eq!(lab.database.open_clients(instance.id).await.unwrap(), [good]);
}

#[tokio::test]
async fn an_epoch_elsewhere_takes_the_claim_along_or_nothing() {
    let lab = Lab::new().await;
    let mut hosts = Vec::new();
    for name in ["host1", "host2"] {
        let host = rows::insert_host(&lab.database, name).await;
        lab.database.record_hello(host.id, "boot", &rows::resources(), rows::at(1)).await.unwrap();
        hosts.push(host.id);
    }
    let mut new = rows::placed(hosts[0], 100);
    let operation = rows::operation(Subject::Instance(new.instance.id), rows::node());
    new.operation = Some(operation.clone());
    lab.database.insert_instance(&new).await.unwrap();
    let before = rows::get(&lab.database, &new.instance).await;
    let claimed = async || -> Vec<u64> {
        let mut all = lab.database.candidates().await.unwrap();
        all.sort_by(|one, other| one.host.name.as_str().cmp(other.host.name.as_str()));
        all.iter().map(|candidate| candidate.usage.vcpus).collect()
    };
    let vcpus = u64::from(before.flavor.vcpus);
    let guard = rows::guard(&operation);
    let room = rows::begin_move(&before, hosts[1], &before.flavor).room.unwrap();
    let place = NewPlace { expected: before.epoch, placement: room.placement, record: room.record };

    let full = NewPlace { placement: Placement { vcpu_limit: vcpus - 1, ..place.placement.clone() }, ..place.clone() };
    let lost = LeaseGuard { epoch: 9, ..guard };
    let old = NewPlace { expected: Epoch(before.epoch.0 + 1), ..place.clone() };
    for (place, guard, expected) in
        [(&full, &guard, Elsewhere::HostFull), (&place, &lost, Elsewhere::LeaseLost), (&old, &guard, Elsewhere::Stale)]
    {
        assert_eq!(lab.database.begin_epoch_elsewhere(place, guard).await.unwrap(), expected);
        assert_eq!((rows::get(&lab.database, &before).await, claimed().await), (before.clone(), vec![vcpus, 0]), "{expected:?}");
    }
    let client = rows::client(before.id, before.epoch.0, hosts[0], "192.0.2.1:0/1");
    assert!(lab.database.allow_running(before.id, before.epoch, &[client]).await.unwrap());
    assert_eq!(lab.database.begin_epoch_elsewhere(&place, &guard).await.unwrap(), Elsewhere::Stale, "a client may still write");
    lab.database.close_clients(before.id, before.epoch, ClientProof::Gone, rows::at(2)).await.unwrap();

    let next = before.epoch.next();
    assert_eq!(lab.database.begin_epoch_elsewhere(&place, &guard).await.unwrap(), Elsewhere::Begun(next));
    let after = rows::get(&lab.database, &before).await;
    assert_eq!((after.host_id, after.epoch, after.running_allowed), (Some(hosts[1]), next, None));
    assert_eq!(claimed().await, [0, vcpus]);
    assert_eq!(lab.database.list_placements(before.id).await.unwrap(), std::slice::from_ref(&place.record));
    assert_eq!(lab.database.begin_epoch_elsewhere(&place, &guard).await.unwrap(), Elsewhere::Stale, "it is over");
}

#[tokio::test]
async fn the_clients_of_a_deleted_instance_are_told_once_its_host_has_nothing_left_to_do() {
    let lab = Lab::new().await;
    let database = &lab.database;
    let host = rows::insert_host(database, "host1").await;
    let deleted = async || {
        let instance = rows::insert_instance(database).await;
        database.begin_epoch(instance.id, Epoch::NONE, host.id).await.unwrap().unwrap();
        database.allow_running(instance.id, Epoch(1), &[rows::client(instance.id, 1, host.id, "a:0/1")]).await.unwrap();
        assert!(database.deleted_with_open_clients(10).await.unwrap().is_empty(), "one that lives is nobody's business");
        let mut instance = rows::get(database, &instance).await;
        instance.state = InstanceState::Deleted;
        instance.task = None;
        assert_eq!(database.update_instance(&instance, None).await.unwrap(), Written::Done);
        instance.id
    };
    let one = deleted().await;
    let command = rows::command(one, 1, Action::ForgetGuest);
    database.insert_command(host.id, &command).await.unwrap();
    assert!(database.deleted_with_open_clients(10).await.unwrap().is_empty(), "its guest may still run there");
    let report = Report { command_id: command.id, instance_id: one, epoch: Epoch(1), outcome: Outcome::Gone };
    database.store_report(host.id, &report, rows::at(1)).await.unwrap();
    assert_eq!(database.deleted_with_open_clients(10).await.unwrap(), [(one, Epoch(1))]);
    assert!(database.deleted_with_open_clients(0).await.unwrap().is_empty());
    database.close_clients(one, Epoch(1), ClientProof::Gone, rows::at(5)).await.unwrap();
    assert!(database.deleted_with_open_clients(10).await.unwrap().is_empty());
}

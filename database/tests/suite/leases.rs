//! Leases: taken, renewed, given back, lost.

use cuttle_database::{JournalEntry, LeaseGuard, WhenBusy, Written};
use cuttle_model::ids::ControlNodeId;
use cuttle_model::instance::Instance;
use cuttle_model::operation::{Operation, OperationStatus};

use crate::lab::Lab;
use crate::rows;

/// An operation that `owner` began with a lease until second 30.
async fn begun(lab: &Lab, owner: ControlNodeId) -> (Instance, Operation) {
    let instance = rows::insert_instance(&lab.database).await;
    let begin = rows::begin(&instance, owner, WhenBusy::Refuse);
    lab.database.begin_operation(&begin).await.unwrap();
    (rows::get(&lab.database, &instance).await, begin.operation)
}

fn entry(guard: LeaseGuard) -> JournalEntry {
    let state = serde_json::json!({});
    JournalEntry { guard, status: OperationStatus::Running, next_step: 1, state, fault: None, ended: None, begun: None }
}

#[tokio::test]
async fn a_lease_is_taken_over_only_after_its_time_and_the_old_one_is_void() {
    let lab = Lab::new().await;
    let (first, second) = (rows::node(), rows::node());
    let (instance, operation) = begun(&lab, first).await;
    assert!(lab.database.take_operations(second, rows::at(29), rows::at(60), 9).await.unwrap().is_empty());
    let taken = lab.database.take_operations(second, rows::at(30), rows::at(60), 9).await.unwrap();
    assert_eq!(taken.len(), 1);
    let lease = taken[0].lease.clone().unwrap();
    assert_eq!((lease.owner, lease.epoch, lease.until), (second, 2, rows::at(60)));

    let (old, new) = (rows::guard(&operation), rows::guard(&taken[0]));
    assert_eq!(lab.database.journal(&entry(old)).await.unwrap(), Written::LeaseLost);
    assert_eq!(lab.database.update_instance(&instance, Some(&old)).await.unwrap(), Written::LeaseLost);
    assert_eq!(lab.database.renew_leases(first, &[operation.id], rows::at(90)).await.unwrap(), []);
    assert_eq!(lab.database.journal(&entry(new)).await.unwrap(), Written::Done);
    assert_eq!(lab.database.renew_leases(second, &[operation.id], rows::at(90)).await.unwrap(), [operation.id]);
    assert!(lab.database.take_operations(first, rows::at(61), rows::at(99), 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lease_whose_time_is_over_holds_until_somebody_takes_it() {
    let lab = Lab::new().await;
    let owner = rows::node();
    let (_, operation) = begun(&lab, owner).await;
    assert_eq!(lab.database.journal(&entry(rows::guard(&operation))).await.unwrap(), Written::Done);
    assert_eq!(lab.database.renew_leases(owner, &[operation.id], rows::at(90)).await.unwrap(), [operation.id]);
}

#[tokio::test]
async fn a_lease_given_back_is_taken_at_once() {
    let lab = Lab::new().await;
    let (first, second) = (rows::node(), rows::node());
    let (_, operation) = begun(&lab, first).await;
    let (_, other) = begun(&lab, second).await;
    lab.database.release_leases(first).await.unwrap();
    assert_eq!(lab.database.journal(&entry(rows::guard(&operation))).await.unwrap(), Written::LeaseLost);
    assert_eq!(lab.database.journal(&entry(rows::guard(&other))).await.unwrap(), Written::Done);
    let taken = lab.database.take_operations(second, rows::at(1), rows::at(60), 9).await.unwrap();
    assert_eq!(taken.iter().map(|taken| taken.id).collect::<Vec<_>>(), [operation.id]);
    assert_eq!(taken[0].lease.as_ref().unwrap().epoch, 2, "an epoch is never used again");
}

#[tokio::test]
async fn the_oldest_are_taken_first_and_no_more_than_asked_for() {
    let lab = Lab::new().await;
    let mut begun = Vec::new();
    for seconds in [3, 1, 2] {
        let instance = rows::insert_instance(&lab.database).await;
        let mut begin = rows::begin(&instance, rows::node(), WhenBusy::Refuse);
        begin.operation.started_at = rows::at(seconds);
        begin.operation.lease = None;
        lab.database.begin_operation(&begin).await.unwrap();
        begun.push(begin.operation.id);
    }
    let taken = lab.database.take_operations(rows::node(), rows::at(1), rows::at(60), 2).await.unwrap();
    assert_eq!(taken.iter().map(|taken| taken.id).collect::<Vec<_>>(), [begun[1], begun[2]]);
    assert_eq!(lab.database.renew_leases(rows::node(), &[], rows::at(60)).await.unwrap(), []);
}

//! Control nodes: condemned when their leases run out, fenced, and only then taken over from.

use cuttle_database::WhenBusy;
use cuttle_model::ids::ControlNodeId;
use cuttle_model::operation::{ControlNode, Operation};

use crate::lab::Lab;
use crate::rows;

async fn node(lab: &Lab, address: &str) -> ControlNode {
    let node = ControlNode {
        id: rows::node(),
        addresses: vec![address.to_owned()],
        started_at: rows::at(0),
        seen_at: rows::at(0),
        condemned_at: None,
        fenced_at: None,
    };
    lab.database.insert_node(&node).await.unwrap();
    node
}

/// An operation that `owner` holds until second 30.
async fn held(lab: &Lab, owner: ControlNodeId) -> Operation {
    let instance = rows::insert_instance(&lab.database).await;
    let begin = rows::begin(&instance, owner, WhenBusy::Refuse);
    lab.database.begin_operation(&begin).await.unwrap();
    begin.operation
}

#[tokio::test]
async fn an_operation_is_taken_over_only_after_its_node_was_fenced() {
    let lab = Lab::new().await;
    let (first, second) = (node(&lab, "10.0.0.1:0/1").await, node(&lab, "10.0.0.2:0/2").await);
    let operation = held(&lab, first.id).await;
    assert!(lab.database.condemn_nodes(second.id, rows::at(29)).await.unwrap().is_empty());
    assert!(lab.database.take_operations(second.id, rows::at(31), rows::at(60), 9).await.unwrap().is_empty());

    let condemned = lab.database.condemn_nodes(second.id, rows::at(31)).await.unwrap();
    let expected = ControlNode { condemned_at: Some(rows::at(31)), ..first.clone() };
    assert_eq!(condemned, std::slice::from_ref(&expected));
    assert!(lab.database.take_operations(second.id, rows::at(32), rows::at(60), 9).await.unwrap().is_empty(), "not fenced yet");
    // Whoever condemned it may die over it; the next one finds it.
    assert_eq!(lab.database.condemn_nodes(second.id, rows::at(33)).await.unwrap(), [expected]);

    lab.database.node_fenced(first.id, rows::at(34)).await.unwrap();
    assert!(lab.database.condemn_nodes(second.id, rows::at(35)).await.unwrap().is_empty(), "once is enough");
    let taken = lab.database.take_operations(second.id, rows::at(35), rows::at(60), 9).await.unwrap();
    assert_eq!(taken.iter().map(|taken| taken.id).collect::<Vec<_>>(), [operation.id]);
}

#[tokio::test]
async fn a_condemned_node_keeps_no_lease_and_is_told() {
    let lab = Lab::new().await;
    let (first, second) = (node(&lab, "10.0.0.1:0/1").await, node(&lab, "10.0.0.2:0/2").await);
    let operation = held(&lab, first.id).await;
    assert!(lab.database.node_seen(first.id, rows::at(5)).await.unwrap());
    lab.database.condemn_nodes(second.id, rows::at(31)).await.unwrap();
    assert!(!lab.database.node_seen(first.id, rows::at(32)).await.unwrap());
    assert!(lab.database.renew_leases(first.id, &[operation.id], rows::at(90)).await.unwrap().is_empty());
    // What it begins before it knows is taken from it as well.
    lab.database.node_fenced(first.id, rows::at(33)).await.unwrap();
    let late = held(&lab, first.id).await;
    let taken = lab.database.take_operations(second.id, rows::at(3), rows::at(60), 9).await.unwrap();
    assert_eq!(taken.len(), 2);
    assert!(taken.iter().any(|taken| taken.id == late.id));
}

#[tokio::test]
async fn nobody_condemns_itself_nor_a_node_that_renewed() {
    let lab = Lab::new().await;
    let (first, second) = (node(&lab, "10.0.0.1:0/1").await, node(&lab, "10.0.0.2:0/2").await);
    let operation = held(&lab, first.id).await;
    assert!(lab.database.condemn_nodes(first.id, rows::at(31)).await.unwrap().is_empty());
    assert_eq!(lab.database.renew_leases(first.id, &[operation.id], rows::at(90)).await.unwrap(), [operation.id]);
    assert!(lab.database.condemn_nodes(second.id, rows::at(31)).await.unwrap().is_empty());
    lab.database.release_leases(first.id).await.unwrap();
    lab.database.delete_node(first.id).await.unwrap();
    assert!(!lab.database.node_seen(first.id, rows::at(32)).await.unwrap(), "one that left is known no more");
    assert_eq!(lab.database.list_nodes().await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(lab.database.purge_nodes(rows::at(0)).await.unwrap(), 0);
    assert_eq!(lab.database.purge_nodes(rows::at(1)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_node_that_holds_a_lease_is_not_forgotten() {
    let lab = Lab::new().await;
    let first = node(&lab, "10.0.0.1:0/1").await;
    held(&lab, first.id).await;
    assert_eq!(lab.database.purge_nodes(rows::at(99)).await.unwrap(), 0);
}

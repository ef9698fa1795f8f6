//! What many tasks and several nodes do at once.

use std::collections::HashSet;

use cuttle_database::{Begun, ClaimEnd, Database, EndOperation, Insertion, JournalEntry, SubjectEnd, WhenBusy, Written};
use cuttle_model::client::ClientProof;
use cuttle_model::ids::Epoch;
use cuttle_model::instance::Instance;
use cuttle_model::operation::OperationStatus;

use crate::lab::Lab;
use crate::rows::{self, at_once};

/// Two nodes on one database.
async fn nodes() -> (Lab, [Database; 2]) {
    let lab = Lab::new().await;
    let nodes = [lab.database.clone(), lab.another_node().await];
    (lab, nodes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_never_exceed_the_limit() {
    let (_lab, nodes) = nodes().await;
    fill_a_host(&nodes).await;
}

/// Fifty tasks place instances on a host that has room for seven.
pub async fn fill_a_host(nodes: &[Database]) {
    let host = rows::insert_host(&nodes[0], "host1").await;
    nodes[0].record_hello(host.id, "boot", &rows::resources(), rows::at(1)).await.unwrap();
    let insertions = at_once((0..50).map(|task| {
        let (node, new) = (nodes[task % nodes.len()].clone(), rows::placed(host.id, 7));
        async move { node.insert_instance(&new).await.unwrap() }
    }))
    .await;
    assert_eq!(insertions.iter().filter(|insertion| **insertion == Insertion::Inserted).count(), 7);
    let candidate = nodes[0].candidates().await.unwrap().remove(0);
    assert_eq!((candidate.usage.instances, candidate.usage.vcpus), (7, 7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_begins_one_wins() {
    let (_lab, nodes) = nodes().await;
    for _ in 0..20 {
        let instance = rows::insert_instance(&nodes[0]).await;
        let begun = at_once((0..4).map(|task| {
            let node = nodes[task % 2].clone();
            let begin = rows::begin(&instance, rows::node(), WhenBusy::CancelAndWait);
            async move { node.begin_operation(&begin).await.unwrap() }
        }))
        .await;
        assert_eq!(begun.iter().filter(|begun| **begun == Begun::Begun).count(), 1, "{begun:?}");
        assert_eq!(begun.iter().filter(|begun| **begun == Begun::Stale).count(), 3, "{begun:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_operation_is_taken_once() {
    let (_lab, nodes) = nodes().await;
    for _ in 0..30 {
        let instance = rows::insert_instance(&nodes[0]).await;
        let mut begin = rows::begin(&instance, rows::node(), WhenBusy::Refuse);
        begin.operation.lease = None;
        nodes[0].begin_operation(&begin).await.unwrap();
    }
    let takers = at_once((0..8).map(|task| {
        let (node, owner) = (nodes[task % 2].clone(), rows::node());
        async move {
            let mut taken = Vec::new();
            for _ in 0..10 {
                taken.extend(node.take_operations(owner, rows::at(1), rows::at(60), 3).await.unwrap());
            }
            assert!(taken.iter().all(|operation| operation.lease.as_ref().unwrap().owner == owner));
            taken.into_iter().map(|operation| operation.id).collect::<Vec<_>>()
        }
    }))
    .await;
    let all: Vec<_> = takers.into_iter().flatten().collect();
    assert_eq!(all.len(), 30);
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_takeover_the_old_worker_writes_nothing() {
    let (_lab, nodes) = nodes().await;
    for _ in 0..20 {
        let instance = rows::insert_instance(&nodes[0]).await;
        let begin = rows::begin(&instance, rows::node(), WhenBusy::Refuse);
        nodes[0].begin_operation(&begin).await.unwrap();
        let old = rows::guard(&begin.operation);
        let entry = JournalEntry {
            guard: old,
            status: OperationStatus::Running,
            next_step: 1,
            state: serde_json::json!("old"),
            fault: None,
            ended: None,
            begun: None,
        };
        let worker = {
            let node = nodes[0].clone();
            tokio::spawn(async move {
                let mut written = 0;
                while node.journal(&entry).await.unwrap() == Written::Done {
                    written += 1;
                }
                written
            })
        };
        // A row that is being written at that moment is left for the next time.
        let taken = loop {
            let taken = nodes[1].take_operations(rows::node(), rows::at(30), rows::at(60), 1).await.unwrap();
            if !taken.is_empty() {
                break taken;
            }
        };
        let new = JournalEntry {
            guard: rows::guard(&taken[0]),
            status: OperationStatus::Running,
            next_step: 2,
            state: serde_json::json!("new"),
            fault: None,
            ended: None,
            begun: None,
        };
        assert_eq!(nodes[1].journal(&new).await.unwrap(), Written::Done);
        worker.await.unwrap();
        let kept = nodes[0].get_operation(taken[0].id).await.unwrap().unwrap();
        assert_eq!((kept.next_step, kept.state), (2, serde_json::json!("new")));
        // The next turn's taker is to find its own only.
        let marked = rows::get(&nodes[0], &instance).await;
        assert_eq!(nodes[1].end_operation(&end(rows::guard(&taken[0]), &marked)).await.unwrap(), Written::Done);
    }
}

fn end(guard: cuttle_database::LeaseGuard, instance: &Instance) -> EndOperation {
    EndOperation {
        guard,
        status: OperationStatus::Succeeded,
        state: serde_json::json!({}),
        fault: None,
        finished_at: rows::at(9),
        ended: None,
        subject: SubjectEnd::Instance { instance: Box::new(Instance { task: None, ..instance.clone() }), claims: ClaimEnd::Kept },
    }
}

/// One node ends an operation while another has a second one wait for it: the second is never left
/// waiting for nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_and_a_begin_at_once_leave_nobody_waiting() {
    let (_lab, nodes) = nodes().await;
    for _ in 0..30 {
        let instance = rows::insert_instance(&nodes[0]).await;
        let first = rows::begin(&instance, rows::node(), WhenBusy::Refuse);
        nodes[0].begin_operation(&first).await.unwrap();
        let marked = rows::get(&nodes[0], &instance).await;
        let second = rows::begin(&marked, rows::node(), WhenBusy::CancelAndWait);
        let id = second.operation.id;

        let ending = {
            let (node, guard, instance) = (nodes[0].clone(), rows::guard(&first.operation), instance.clone());
            tokio::spawn(async move {
                loop {
                    let now = rows::get(&node, &instance).await;
                    match node.end_operation(&end(guard, &now)).await.unwrap() {
                        Written::Stale => {}
                        other => break other,
                    }
                }
            })
        };
        let begun = nodes[1].begin_operation(&second).await.unwrap();
        assert_eq!(ending.await.unwrap(), Written::Done);
        match begun {
            Begun::Begun | Begun::Waiting => {
                let now = nodes[0].get_operation(id).await.unwrap().unwrap();
                assert_eq!(now.status, OperationStatus::Running);
            }
            Begun::Stale => assert_eq!(nodes[0].get_operation(id).await.unwrap(), None),
            other => panic!("nobody else waits, and no room is asked for: {other:?}"),
        }
    }
}

/// An epoch never begins while the clients of the one before are being recorded: either the new epoch
/// is there first and they are refused, or they are on record and it does not begin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_and_the_record_of_clients_exclude_each_other() {
    let (_lab, nodes) = nodes().await;
    let host = rows::insert_host(&nodes[0], "host1").await;
    for _ in 0..30 {
        let instance = rows::insert_instance(&nodes[0]).await;
        nodes[0].begin_epoch(instance.id, Epoch::NONE, host.id).await.unwrap().unwrap();
        let clients = [rows::client(instance.id, 1, host.id, "a:0/1")];
        let (one, other) = (nodes[0].clone(), nodes[1].clone());
        let allowing = tokio::spawn(async move { one.allow_running(instance.id, Epoch(1), &clients).await.unwrap() });
        let beginning = tokio::spawn(async move { other.begin_epoch(instance.id, Epoch(1), host.id).await.unwrap() });
        let (allowed, began) = (allowing.await.unwrap(), beginning.await.unwrap());
        assert_ne!(allowed, began.is_some());
        assert_eq!(nodes[0].open_clients(instance.id).await.unwrap().len(), usize::from(allowed));
        nodes[0].close_clients(instance.id, Epoch(1), ClientProof::Gone, rows::at(1)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writes_with_one_generation_one_wins() {
    let (_lab, nodes) = nodes().await;
    let instance = rows::insert_instance(&nodes[0]).await;
    let written = at_once((0..20).map(|task| {
        let node = nodes[task % 2].clone();
        let changed = Instance { name: format!("writer {task}"), ..instance.clone() };
        async move { node.update_instance(&changed, None).await.unwrap() }
    }))
    .await;
    assert_eq!(written.iter().filter(|written| **written == Written::Done).count(), 1);
}

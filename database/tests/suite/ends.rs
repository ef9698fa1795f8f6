//! The end of operations, and what follows from it.

use cuttle_database::{
    Begin, Begun, ClaimEnd, EndOperation, Event, LeaseGuard, Mark, NewInstance, SubjectEnd, WhenBusy, Written,
};
use cuttle_model::image::{Image, ImageStatus};
use cuttle_model::instance::{Instance, InstanceState, Task};
use cuttle_model::operation::{Operation, OperationStatus, Subject};

use crate::lab::Lab;
use crate::rows;

fn end(operation: &Operation, subject: SubjectEnd) -> EndOperation {
    EndOperation {
        guard: rows::guard(operation),
        status: OperationStatus::Succeeded,
        state: serde_json::json!({ "ended": true }),
        fault: None,
        finished_at: rows::at(9),
        ended: None,
        subject,
    }
}

fn settled(instance: &Instance, state: InstanceState) -> SubjectEnd {
    SubjectEnd::Instance { instance: Box::new(Instance { state, task: None, ..instance.clone() }), claims: ClaimEnd::Kept }
}

#[tokio::test]
async fn an_end_settles_the_subject_and_is_announced() {
    let lab = Lab::new().await;
    let mut events = lab.database.events();
    let instance = rows::insert_instance(&lab.database).await;
    let begin = rows::begin(&instance, rows::node(), WhenBusy::Refuse);
    lab.database.begin_operation(&begin).await.unwrap();
    let marked = rows::get(&lab.database, &instance).await;
    let end = end(&begin.operation, settled(&marked, InstanceState::Active));
    assert_eq!(lab.database.end_operation(&end).await.unwrap(), Written::Done);

    assert_eq!(rows::heard(&mut events).await, Event::Ended(begin.operation.id));
    let active = rows::get(&lab.database, &instance).await;
    assert_eq!((active.state, active.task, active.generation), (InstanceState::Active, None, marked.generation + 1));
    let ended = lab.database.get_operation(begin.operation.id).await.unwrap().unwrap();
    assert_eq!((ended.status, ended.finished_at, ended.lease), (OperationStatus::Succeeded, Some(rows::at(9)), None));
    // Nobody ends it twice, or goes on with it.
    assert_eq!(lab.database.end_operation(&end).await.unwrap(), Written::LeaseLost);
}

#[tokio::test]
async fn an_end_on_a_subject_that_has_changed_changes_nothing() {
    let lab = Lab::new().await;
    let instance = rows::insert_instance(&lab.database).await;
    let begin = rows::begin(&instance, rows::node(), WhenBusy::Refuse);
    lab.database.begin_operation(&begin).await.unwrap();
    let before = lab.database.get_operation(begin.operation.id).await.unwrap();
    // `instance` is as it was before the mark.
    let stale = end(&begin.operation, settled(&instance, InstanceState::Active));
    assert_eq!(lab.database.end_operation(&stale).await.unwrap(), Written::Stale);
    let guard = LeaseGuard { epoch: 9, ..stale.guard };
    assert_eq!(lab.database.end_operation(&EndOperation { guard, ..stale }).await.unwrap(), Written::LeaseLost);
    let marked = rows::get(&lab.database, &instance).await;
    let lost = EndOperation { guard, ..end(&begin.operation, settled(&marked, InstanceState::Active)) };
    assert_eq!(lab.database.end_operation(&lost).await.unwrap(), Written::LeaseLost);
    assert_eq!(rows::get(&lab.database, &instance).await, marked);
    assert_eq!(lab.database.get_operation(begin.operation.id).await.unwrap(), before);
}

#[tokio::test]
async fn the_operation_that_waited_has_its_turn() {
    let lab = Lab::new().await;
    let mut events = lab.database.events();
    let instance = rows::insert_instance(&lab.database).await;
    let first = rows::begin(&instance, rows::node(), WhenBusy::Refuse);
    lab.database.begin_operation(&first).await.unwrap();
    let marked = rows::get(&lab.database, &instance).await;
    let delete = rows::begin(&marked, rows::node(), WhenBusy::CancelAndWait);
    assert_eq!(lab.database.begin_operation(&delete).await.unwrap(), Begun::Waiting);
    let node = rows::node();
    assert!(lab.database.take_operations(node, rows::at(1), rows::at(2), 9).await.unwrap().is_empty());

    let marked = rows::get(&lab.database, &instance).await;
    let end = end(&first.operation, settled(&marked, InstanceState::Building));
    assert_eq!(lab.database.end_operation(&end).await.unwrap(), Written::Done);
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.push(rows::heard(&mut events).await);
    }
    let (ended, ready) = (Event::Ended(first.operation.id), Event::Ready(delete.operation.id));
    assert_eq!(heard, [Event::Cancelled(first.operation.id), ended, ready]);

    let taken = lab.database.take_operations(node, rows::at(1), rows::at(2), 9).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!((taken[0].id, taken[0].status), (delete.operation.id, OperationStatus::Running));
}

#[tokio::test]
async fn a_claim_goes_with_the_operation_that_says_so() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    lab.database.record_hello(host.id, "boot", &rows::resources(), rows::at(1)).await.unwrap();
    let new = rows::placed(host.id, 4);
    let operation = rows::operation(Subject::Instance(new.instance.id), rows::node());
    let new = NewInstance { operation: Some(operation.clone()), ..new };
    lab.database.insert_instance(&new).await.unwrap();
    let instance = Box::new(Instance { state: InstanceState::Deleted, ..new.instance.clone() });
    let end = end(&operation, SubjectEnd::Instance { instance, claims: ClaimEnd::Released });
    assert_eq!(lab.database.end_operation(&end).await.unwrap(), Written::Done);
    assert_eq!(lab.database.candidates().await.unwrap()[0].usage.instances, 0);
}

#[tokio::test]
async fn an_image_is_settled_too() {
    let lab = Lab::new().await;
    let image = rows::image(rows::project());
    lab.database.insert_image(&image).await.unwrap();
    let operation = rows::operation(Subject::Image(image.id), rows::node());
    let mark = Mark::Image { generation: image.generation, status: ImageStatus::Saving };
    let begin = Begin { operation: operation.clone(), mark, when_busy: WhenBusy::Refuse, room: None };
    lab.database.begin_operation(&begin).await.unwrap();
    let saving = lab.database.get_image(image.id).await.unwrap().unwrap();
    let active = Image { status: ImageStatus::Active, size_bytes: Some(5), ..saving };
    let end = end(&operation, SubjectEnd::Image(Box::new(active.clone())));
    assert_eq!(lab.database.end_operation(&end).await.unwrap(), Written::Done);
    let expected = Image { generation: active.generation + 1, ..active };
    assert_eq!(lab.database.get_image(image.id).await.unwrap(), Some(expected));
}

#[tokio::test]
async fn only_what_ended_long_ago_on_a_deleted_subject_is_purged() {
    let lab = Lab::new().await;
    let mut ended = Vec::new();
    for state in [InstanceState::Deleted, InstanceState::Active] {
        let instance = rows::insert_instance(&lab.database).await;
        let begin = rows::begin(&instance, rows::node(), WhenBusy::Refuse);
        lab.database.begin_operation(&begin).await.unwrap();
        let marked = rows::get(&lab.database, &instance).await;
        assert_eq!(lab.database.end_operation(&end(&begin.operation, settled(&marked, state))).await.unwrap(), Written::Done);
        ended.push(begin.operation.id);
    }
    let running = rows::insert_instance(&lab.database).await;
    let begin = rows::begin(&running, rows::node(), WhenBusy::Refuse);
    lab.database.begin_operation(&begin).await.unwrap();
    assert_eq!(rows::get(&lab.database, &running).await.task, Some(Task::Starting));

    assert_eq!(lab.database.purge_operations(rows::at(9)).await.unwrap(), 0);
    assert_eq!(lab.database.purge_operations(rows::at(10)).await.unwrap(), 1);
    assert_eq!(lab.database.get_operation(ended[0]).await.unwrap(), None);
    assert!(lab.database.get_operation(ended[1]).await.unwrap().is_some());
    assert!(lab.database.get_operation(begin.operation.id).await.unwrap().is_some());
}

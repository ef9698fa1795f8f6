//! The begin of operations and their journal.

use cuttle_database::{
    Begin, Begun, EndOperation, Event, JournalEntry, LeaseGuard, Mark, StepEnd, SubjectEnd, WhenBusy, Written,
};
use cuttle_model::fault::{Fault, FaultKind};
use cuttle_model::ids::HostId;
use cuttle_model::image::ImageStatus;
use cuttle_model::instance::Task;
use cuttle_model::operation::{Direction, Operation, OperationKind, OperationStatus, StepRecord, StepResult, Subject};

use crate::lab::Lab;
use crate::rows;

#[tokio::test]
async fn a_begin_marks_the_subject_and_inserts_the_operation() {
    let lab = Lab::new().await;
    let instance = rows::insert_instance(&lab.database).await;
    let begin = rows::begin(&instance, rows::node(), WhenBusy::Refuse);
    assert_eq!(lab.database.begin_operation(&begin).await.unwrap(), Begun::Begun);
    let marked = rows::get(&lab.database, &instance).await;
    assert_eq!((marked.task, marked.generation), (Some(Task::Starting), instance.generation + 1));
    assert_eq!(lab.database.get_operation(begin.operation.id).await.unwrap(), Some(begin.operation));
}

#[tokio::test]
async fn a_begin_on_a_subject_that_has_changed_is_stale() {
    let lab = Lab::new().await;
    let instance = rows::insert_instance(&lab.database).await;
    let begin = rows::begin(&instance, rows::node(), WhenBusy::CancelAndWait);
    let old = Begin { mark: Mark::Instance { generation: instance.generation + 1, task: Task::Starting }, ..begin.clone() };
    let wrong = Begin { mark: Mark::Image { generation: instance.generation, status: ImageStatus::Active }, ..begin.clone() };
    for stale in [old, wrong] {
        assert_eq!(lab.database.begin_operation(&stale).await.unwrap(), Begun::Stale);
    }
    assert_eq!(rows::get(&lab.database, &instance).await, instance);
    assert_eq!(lab.database.get_operation(begin.operation.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_second_operation_is_refused_or_waits_and_a_third_is_refused() {
    let lab = Lab::new().await;
    let mut events = lab.database.events();
    let instance = rows::insert_instance(&lab.database).await;
    let first = rows::begin(&instance, rows::node(), WhenBusy::Refuse);
    lab.database.begin_operation(&first).await.unwrap();

    let marked = rows::get(&lab.database, &instance).await;
    let refused = rows::begin(&marked, rows::node(), WhenBusy::Refuse);
    assert_eq!(lab.database.begin_operation(&refused).await.unwrap(), Begun::Busy);
    assert_eq!(rows::get(&lab.database, &instance).await, marked, "a refusal leaves no mark");
    assert!(!lab.database.is_cancelled(first.operation.id).await.unwrap());

    let delete = Begin {
        mark: Mark::Instance { generation: marked.generation, task: Task::Deleting },
        ..rows::begin(&marked, rows::node(), WhenBusy::CancelAndWait)
    };
    assert_eq!(lab.database.begin_operation(&delete).await.unwrap(), Begun::Waiting);
    assert!(lab.database.is_cancelled(first.operation.id).await.unwrap());
    assert_eq!(rows::heard(&mut events).await, Event::Cancelled(first.operation.id));
    let waiting = lab.database.get_operation(delete.operation.id).await.unwrap().unwrap();
    assert_eq!((waiting.status, waiting.lease), (OperationStatus::Waiting, None));

    let deleting = rows::get(&lab.database, &instance).await;
    assert_eq!(deleting.task, Some(Task::Deleting));
    for when_busy in [WhenBusy::Refuse, WhenBusy::CancelAndWait] {
        let third = rows::begin(&deleting, rows::node(), when_busy);
        assert_eq!(lab.database.begin_operation(&third).await.unwrap(), Begun::Busy);
    }
    let ids: Vec<_> =
        lab.database.list_operations(Subject::Instance(instance.id)).await.unwrap().into_iter().map(|it| it.id).collect();
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn what_waits_gives_its_place_to_one_of_another_kind_that_comes_after_it() {
    let lab = Lab::new().await;
    let instance = rows::insert_instance(&lab.database).await;
    let first = rows::begin(&instance, rows::node(), WhenBusy::Refuse);
    lab.database.begin_operation(&first).await.unwrap();
    let next = |marked: &cuttle_model::instance::Instance, kind, task| {
        let mut begin = rows::begin(marked, rows::node(), WhenBusy::CancelAndWait);
        begin.operation.kind = kind;
        Begin { mark: Mark::Instance { generation: marked.generation, task }, ..begin }
    };
    let reboot = next(&rows::get(&lab.database, &instance).await, OperationKind::RebootInstance, Task::RebootingHard);
    // Events arrive after the commit that they tell of, so each is waited for.
    let mut events = lab.database.events();
    assert_eq!(lab.database.begin_operation(&reboot).await.unwrap(), Begun::Waiting);
    assert_eq!(rows::heard(&mut events).await, Event::Cancelled(first.operation.id));
    let delete = next(&rows::get(&lab.database, &instance).await, OperationKind::DeleteInstance, Task::Deleting);
    assert_eq!(lab.database.begin_operation(&delete).await.unwrap(), Begun::Waiting);
    assert_eq!(rows::heard(&mut events).await, Event::Ended(reboot.operation.id));

    let replaced = lab.database.get_operation(reboot.operation.id).await.unwrap().unwrap();
    assert_eq!((replaced.status, replaced.finished_at), (OperationStatus::Undone, Some(delete.operation.started_at)));
    assert!(replaced.fault.unwrap().message.contains("delete"));
    let waiting = lab.database.get_operation(delete.operation.id).await.unwrap().unwrap();
    assert_eq!(waiting.status, OperationStatus::Waiting);
}

fn step(sequence: u32, name: &str) -> StepRecord {
    StepRecord {
        sequence,
        name: name.to_owned(),
        direction: Direction::Do,
        started_at: rows::at(i64::from(sequence)),
        finished_at: None,
        result: None,
        message: None,
        progress: None,
    }
}

#[tokio::test]
async fn the_journal_keeps_every_attempt_and_only_the_leases_holder_writes_it() {
    let lab = Lab::new().await;
    let instance = rows::insert_instance(&lab.database).await;
    let begin = rows::begin(&instance, rows::node(), WhenBusy::Refuse);
    lab.database.begin_operation(&begin).await.unwrap();
    let guard = rows::guard(&begin.operation);
    let first = JournalEntry {
        guard,
        status: OperationStatus::Running,
        next_step: 0,
        state: serde_json::json!({}),
        fault: None,
        ended: None,
        begun: Some(step(0, "make disk")),
    };
    let ended = StepEnd {
        sequence: 0,
        direction: Direction::Do,
        finished_at: rows::at(5),
        result: StepResult::Retry,
        message: Some("the pool was busy".to_owned()),
    };
    let second = JournalEntry {
        status: OperationStatus::Undoing,
        next_step: 1,
        state: serde_json::json!({ "disk": "made" }),
        fault: Some(Fault::new(FaultKind::Storage, "full")),
        ended: Some(ended),
        begun: Some(step(1, "make disk")),
        ..first.clone()
    };
    assert_eq!(lab.database.journal(&first).await.unwrap(), Written::Done);
    assert_eq!(lab.database.journal(&second).await.unwrap(), Written::Done);
    // Its answer may get lost, and it is written again.
    assert_eq!(lab.database.journal(&second).await.unwrap(), Written::Done);

    let stale = JournalEntry { guard: LeaseGuard { epoch: 0, ..guard }, begun: Some(step(2, "late")), ..second.clone() };
    assert_eq!(lab.database.journal(&stale).await.unwrap(), Written::LeaseLost);

    let kept = lab.database.get_operation(begin.operation.id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.next_step, kept.state, kept.fault), (second.status, 1, second.state, second.fault));
    let steps = lab.database.list_steps(&[begin.operation.id]).await.unwrap();
    let finished = StepRecord {
        finished_at: Some(rows::at(5)),
        result: Some(StepResult::Retry),
        message: Some("the pool was busy".to_owned()),
        ..step(0, "make disk")
    };
    let id = begin.operation.id;
    assert_eq!(steps, [(id, finished), (id, step(1, "make disk"))]);
    assert!(lab.database.list_steps(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_operation_works_on_a_host_that_is_there() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let begin_on = |id: HostId| {
        let operation = Operation { kind: OperationKind::DrainHost, ..rows::operation(Subject::Host(id), rows::node()) };
        Begin { operation, mark: Mark::Host, when_busy: WhenBusy::Refuse, room: None }
    };
    let missing = begin_on(HostId::from_uuid(rows::uuid()));
    assert_eq!(lab.database.begin_operation(&missing).await.unwrap(), Begun::Stale);
    let wrong = Begin { mark: Mark::Image { generation: 1, status: ImageStatus::Active }, ..begin_on(host.id) };
    assert_eq!(lab.database.begin_operation(&wrong).await.unwrap(), Begun::Stale);

    let first = begin_on(host.id);
    assert_eq!(lab.database.begin_operation(&first).await.unwrap(), Begun::Begun);
    assert_eq!(lab.database.begin_operation(&begin_on(host.id)).await.unwrap(), Begun::Busy);
    let read = lab.database.get_operation(first.operation.id).await.unwrap().unwrap();
    assert_eq!((read.subject, read.kind), (Subject::Host(host.id), OperationKind::DrainHost));
    let end = EndOperation {
        guard: rows::guard(&first.operation),
        status: OperationStatus::Succeeded,
        state: serde_json::json!({}),
        fault: None,
        finished_at: rows::at(9),
        ended: None,
        subject: SubjectEnd::Host(host.id),
    };
    assert_eq!(lab.database.end_operation(&end).await.unwrap(), Written::Done);
    assert_eq!(lab.database.end_operation(&end).await.unwrap(), Written::LeaseLost, "it ends once");
    assert_eq!(lab.database.begin_operation(&begin_on(host.id)).await.unwrap(), Begun::Begun);
}

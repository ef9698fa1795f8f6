//! Lists of operations, and how far their steps are.

use cuttle_database::{Event, JournalEntry, OperationQuery, WhenBusy};
use cuttle_model::operation::{Direction, Operation, OperationKind, OperationStatus, Progress, StepRecord, Subject};

use crate::lab::Lab;
use crate::rows;

async fn begun(lab: &Lab, kind: OperationKind, seconds: i64) -> Operation {
    let instance = rows::insert_instance(&lab.database).await;
    let mut begin = rows::begin(&instance, rows::node(), WhenBusy::Refuse);
    begin.operation.kind = kind;
    begin.operation.started_at = rows::at(seconds);
    lab.database.begin_operation(&begin).await.unwrap();
    begin.operation
}

#[tokio::test]
async fn operations_are_listed_newest_first_by_what_is_asked_for() {
    let lab = Lab::new().await;
    let mut all = Vec::new();
    for (kind, seconds) in
        [(OperationKind::StartInstance, 1), (OperationKind::StopInstance, 2), (OperationKind::StartInstance, 3)]
    {
        all.push(begun(&lab, kind, seconds).await);
    }
    let ids = |query: OperationQuery| {
        let database = lab.database.clone();
        async move { database.find_operations(&query).await.unwrap().iter().map(|found| found.id).collect::<Vec<_>>() }
    };
    let any = OperationQuery::default;
    assert_eq!(ids(any()).await, [all[2].id, all[1].id, all[0].id]);
    assert_eq!(ids(OperationQuery { limit: Some(1), marker: Some(all[2].id), ..any() }).await, [all[1].id]);
    assert_eq!(ids(OperationQuery { kinds: vec![OperationKind::StopInstance], ..any() }).await, [all[1].id]);
    assert_eq!(ids(OperationQuery { subject: Some(all[0].subject), ..any() }).await, [all[0].id]);
    assert_eq!(ids(OperationQuery { project: Some(all[1].project_id), ..any() }).await, [all[1].id]);
    assert_eq!(ids(OperationQuery { request: Some(all[0].request_id.clone()), ..any() }).await.len(), 3);
    assert_eq!(ids(OperationQuery { statuses: vec![OperationStatus::Running], ..any() }).await.len(), 3);
    assert!(ids(OperationQuery { statuses: vec![OperationStatus::Parked], ..any() }).await.is_empty());
    let other = Subject::Instance(rows::instance(rows::project()).id);
    assert!(ids(OperationQuery { subject: Some(other), ..any() }).await.is_empty());
}

#[tokio::test]
async fn progress_is_kept_with_the_attempt_and_only_the_leases_holder_writes_it() {
    let lab = Lab::new().await;
    let operation = begun(&lab, OperationKind::StartInstance, 0).await;
    let guard = rows::guard(&operation);
    let begun = StepRecord {
        sequence: 0,
        name: "write data".to_owned(),
        direction: Direction::Do,
        started_at: rows::at(0),
        finished_at: None,
        result: None,
        message: None,
        progress: None,
    };
    let state = serde_json::json!({});
    let status = OperationStatus::Running;
    let entry = JournalEntry { guard, status, next_step: 0, state, fault: None, ended: None, begun: Some(begun) };
    let mut events = lab.database.events();
    let _ = lab.database.journal(&entry).await.unwrap();
    assert_eq!(rows::heard(&mut events).await, Event::Progress(operation.id));
    let progress = Progress { done: 5 << 30, total: Some(7 << 30) };
    assert!(lab.database.note_progress(guard, 0, progress).await.unwrap());
    assert_eq!(rows::heard(&mut events).await, Event::Progress(operation.id));
    let late = cuttle_database::LeaseGuard { epoch: 0, ..guard };
    assert!(!lab.database.note_progress(late, 0, Progress { done: 1, total: None }).await.unwrap());
    let steps = lab.database.list_steps(&[operation.id]).await.unwrap();
    assert_eq!(steps[0].1.progress, Some(progress));
}

#[tokio::test]
async fn only_what_is_at_work_can_be_cancelled() {
    let lab = Lab::new().await;
    let operation = begun(&lab, OperationKind::StartInstance, 0).await;
    assert!(lab.database.cancel_operation(operation.id).await.unwrap());
    assert!(lab.database.is_cancelled(operation.id).await.unwrap());
    assert!(!lab.database.cancel_operation(cuttle_model::ids::OperationId::from_uuid(rows::uuid())).await.unwrap());
}

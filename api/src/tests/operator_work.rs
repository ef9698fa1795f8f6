//! The operator's API: instances and operations of all projects, and how operations are watched.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cuttle_database::{EndOperation, JournalEntry, StepEnd, SubjectEnd, WhenBusy};
use cuttle_model::host::Host;
use cuttle_model::identity::Role;
use cuttle_model::instance::{Instance, InstanceState};
use cuttle_model::operation::{Direction, Operation, OperationStatus, Progress, StepRecord, StepResult};
use futures::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Cloud, rows};

/// A cloud with an administrator, two tenants, a host and an instance of the first tenant on it.
struct Site {
    cloud: Cloud,
    admin: String,
    host: Host,
    instance: Instance,
}

impl Site {
    async fn new() -> Self {
        let cloud = Cloud::new().await;
        let operators = cloud.project("operators").await;
        let tenant = cloud.project("tenant").await;
        let admin = cloud.token(&operators, Role::Admin).await;
        let host = rows::insert_host(&cloud.shared.database, "host1").await;
        let mut placed = rows::placed(host.id, 4);
        placed.instance.project_id = tenant.id;
        cloud.shared.database.insert_instance(&placed).await.unwrap();
        let instance = cloud.shared.database.get_instance(placed.instance.id).await.unwrap().unwrap();
        Self { cloud, admin, host, instance }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.cloud.get(&self.admin, &format!("/operator/v1/{path}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    async fn begin(&self) -> Operation {
        let begin = rows::begin(&self.instance, rows::node(), WhenBusy::Refuse);
        self.cloud.shared.database.begin_operation(&begin).await.unwrap();
        begin.operation
    }

    /// Ends step `sequence` and begins the next one.
    async fn advance(&self, operation: &Operation, ended: Option<u32>, begun: (u32, &str)) {
        let entry = JournalEntry {
            guard: rows::guard(operation),
            status: OperationStatus::Running,
            next_step: begun.0,
            state: json!({}),
            fault: None,
            ended: ended.map(step_end),
            begun: Some(StepRecord {
                sequence: begun.0,
                name: begun.1.into(),
                direction: Direction::Do,
                started_at: rows::at(1),
                finished_at: None,
                result: None,
                message: None,
                progress: None,
            }),
        };
        let _ = self.cloud.shared.database.journal(&entry).await.unwrap();
    }

    async fn end(&self, operation: &Operation, last: u32) {
        let mut instance = self.cloud.shared.database.get_instance(self.instance.id).await.unwrap().unwrap();
        instance.task = None;
        instance.state = InstanceState::Active;
        let end = EndOperation {
            guard: rows::guard(operation),
            status: OperationStatus::Succeeded,
            state: json!({}),
            fault: None,
            finished_at: rows::at(3),
            ended: Some(step_end(last)),
            subject: SubjectEnd::Instance { instance: Box::new(instance), claims: cuttle_database::ClaimEnd::Kept },
        };
        let _ = self.cloud.shared.database.end_operation(&end).await.unwrap();
    }

    /// The lines of a watch as they come.
    async fn watch(&self, path: &str) -> impl StreamExt<Item = Value> + Unpin + use<> {
        let request = Request::get(format!("/operator/v1/{path}")).header("x-auth-token", &self.admin);
        let response = self.cloud.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let chunks = response.into_body().into_data_stream();
        let lines = chunks.flat_map(|chunk| {
            let text = String::from_utf8(chunk.unwrap().to_vec()).unwrap();
            let lines = text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap());
            futures::stream::iter(lines.collect::<Vec<Value>>())
        });
        Box::pin(lines.map(|line: Value| line["operation"].clone()))
    }
}

fn step_end(sequence: u32) -> StepEnd {
    StepEnd { sequence, direction: Direction::Do, finished_at: rows::at(2), result: StepResult::Done, message: None }
}

#[tokio::test]
async fn instances_of_all_projects_are_listed_and_shown() {
    let site = Site::new().await;
    let listed = site.get("instances").await;
    let shown = &listed["instances"][0];
    assert_eq!((&shown["project"], &shown["host"], &shown["name"]), (&json!("tenant"), &json!("host1"), &json!("one")));
    let id = site.instance.id;
    assert_eq!(site.get(&format!("instances/{id}")).await["instance"]["clients"], json!([]));
    for (query, count) in [
        ("host=host1", 1),
        ("state=building", 1),
        ("state=active&state=error", 0),
        ("name=on", 1),
        ("name=two", 0),
        (&format!("project_id={}", site.instance.project_id), 1),
        (&format!("marker={id}"), 0),
        ("limit=1", 1),
    ] {
        assert_eq!(site.get(&format!("instances?{query}")).await["instances"].as_array().unwrap().len(), count, "{query}");
    }
    for bad in ["state=great", "host=host9", "host=UP", "project_id=x", "marker=x", "limit=x", "surprise=1", "image_id=x"] {
        let answer = site.cloud.get(&site.admin, &format!("/operator/v1/instances?{bad}")).await;
        let (field, _) = bad.split_once('=').unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(answer.body["error"]["message"].as_str().unwrap().contains(field), "{bad}: {}", answer.body);
    }
}

#[tokio::test]
async fn operations_are_listed_with_the_step_that_they_are_at() {
    let site = Site::new().await;
    let operation = site.begin().await;
    site.advance(&operation, None, (0, "choose")).await;
    site.advance(&operation, Some(0), (1, "write")).await;
    let listed = site.get("operations?status=open").await;
    assert_eq!((&listed["operations"][0]["step"], &listed["operations"][0]["status"]), (&json!("write"), &json!("running")));
    let shown = site.get(&format!("operations/{}", operation.id)).await;
    let names: Vec<_> = shown["operation"]["steps"].as_array().unwrap().iter().map(|step| step["name"].clone()).collect();
    assert_eq!(names, ["choose", "write"]);
    let events = site.get(&format!("instances/{}/events", site.instance.id)).await;
    assert_eq!(events["operations"][0], shown["operation"]);
    for (query, count) in [
        (format!("instance_id={}", site.instance.id), 1),
        (format!("image_id={}", site.instance.id), 0),
        ("kind=start_instance".into(), 1),
        ("kind=stop_instance&status=parked".into(), 0),
        ("request_id=req-1".into(), 1),
        (format!("marker={}", operation.id), 0),
    ] {
        assert_eq!(site.get(&format!("operations?{query}")).await["operations"].as_array().unwrap().len(), count, "{query}");
    }
    for bad in ["status=great", "kind=x", "instance_id=x", "limit=-1", "surprise=1"] {
        let answer = site.cloud.get(&site.admin, &format!("/operator/v1/operations?{bad}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn only_what_runs_can_be_cancelled() {
    let site = Site::new().await;
    let operation = site.begin().await;
    let path = format!("/operator/v1/operations/{}/cancel", operation.id);
    let asked = site.cloud.post(&site.admin, &path, &json!({})).await;
    assert_eq!((asked.status, &asked.body["operation"]["cancel_requested"]), (StatusCode::ACCEPTED, &json!(true)));
    site.advance(&operation, None, (0, "choose")).await;
    site.end(&operation, 0).await;
    let late = site.cloud.post(&site.admin, &path, &json!({})).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.body["error"]["message"].as_str().unwrap().contains("succeeded"));
    let other = format!("/operator/v1/operations/{}/cancel", site.instance.id);
    assert_eq!(site.cloud.post(&site.admin, &other, &json!({})).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_watch_shows_each_change_and_ends_with_the_operation() {
    let site = Site::new().await;
    let operation = site.begin().await;
    let mut lines = site.watch(&format!("operations/{}/watch", operation.id)).await;
    let mut everything = site.watch("operations/watch").await;
    assert_eq!(lines.next().await.unwrap()["steps"], json!([]), "first, how it is");
    assert_eq!(everything.next().await.unwrap()["id"], json!(operation.id));
    site.advance(&operation, None, (0, "write")).await;
    assert_eq!(lines.next().await.unwrap()["steps"][0]["name"], "write");
    let progress = Progress { done: 5, total: Some(7) };
    assert!(site.cloud.shared.database.note_progress(rows::guard(&operation), 0, progress).await.unwrap());
    assert_eq!(lines.next().await.unwrap()["steps"][0]["progress"], json!({"done": 5, "total": 7}));
    site.end(&operation, 0).await;
    let last = lines.next().await.unwrap();
    assert_eq!((&last["status"], &last["steps"][0]["result"]), (&json!("succeeded"), &json!("done")));
    assert!(lines.next().await.is_none(), "it ends");
    let mut again = site.watch(&format!("operations/{}/watch", operation.id)).await;
    assert_eq!(again.next().await.unwrap(), last, "whoever comes late sees the end");
    assert!(again.next().await.is_none());
    while everything.next().await.unwrap()["status"] != "succeeded" {}
    site.cloud.shared.stopping.cancel();
    assert!(everything.next().await.is_none(), "nothing is left of it, and the process stops");
}

#[tokio::test]
async fn tenants_see_nothing_of_it() {
    let site = Site::new().await;
    let operation = site.begin().await;
    for name in ["one", "two"] {
        let project = site.cloud.project(name).await;
        let token = site.cloud.token(&project, Role::Manager).await;
        for path in [
            "instances".to_owned(),
            format!("instances/{}", site.instance.id),
            format!("instances/{}/events", site.instance.id),
            "operations".into(),
            "operations/watch".into(),
            format!("operations/{}", operation.id),
            format!("operations/{}/watch", operation.id),
        ] {
            let answer = site.cloud.get(&token, &format!("/operator/v1/{path}")).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
            assert!(!answer.body.to_string().contains(&site.host.name.to_string()), "{path}");
        }
        let path = format!("/operator/v1/operations/{}/cancel", operation.id);
        assert_eq!(site.cloud.post(&token, &path, &json!({})).await.status, StatusCode::FORBIDDEN);
    }
    assert!(!site.cloud.shared.database.is_cancelled(operation.id).await.unwrap());
}

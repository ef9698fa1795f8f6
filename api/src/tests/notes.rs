//! What users note on servers: metadata, tags, names, locks; and the filters by which they find them again.

use axum::http::StatusCode;
use cuttle_database::{Insertion, NewInstance, Written};
use cuttle_model::flavor::Flavor;
use cuttle_model::identity::{Project, Role};
use cuttle_model::ids::{OperationId, RandomIds, RequestId};
use cuttle_model::instance::{Instance, InstanceState, Lock, LockedBy, PowerState, Task};
use cuttle_model::operation::{Operation, OperationKind, OperationStatus, Subject};
use serde_json::{Value, json};

use super::{Cloud, rows};
use crate::compute::microversion::Microversion;
use crate::compute::servers::lock;
use crate::web::caller::Caller;

/// An active instance of its own user, with two virtual CPUs and 64 MiB.
pub fn instance(cloud: &Cloud, project: &Project, name: &str) -> Instance {
    let now = cloud.shared.now();
    Instance {
        name: name.into(),
        hostname: name.into(),
        flavor: Flavor { vcpus: 2, ram_mib: 64, ..rows::flavor() },
        state: InstanceState::Active,
        power: PowerState::Running,
        created_at: now,
        updated_at: now,
        launched_at: Some(now),
        ..rows::instance(project.id)
    }
}

pub async fn store(cloud: &Cloud, instance: Instance) -> Instance {
    let new = NewInstance {
        instance: instance.clone(),
        placement: None,
        operation: None,
        quota: None,
        user_data: None,
        placing: Default::default(),
    };
    assert_eq!(cloud.shared.database.insert_instance(&new).await.unwrap(), Insertion::Inserted);
    instance
}

struct Lab {
    cloud: Cloud,
    project: Project,
    member: String,
    path: String,
    instance: Instance,
}

impl Lab {
    async fn new() -> Self {
        let cloud = Cloud::new().await;
        let project = cloud.project("p").await;
        let member = cloud.token(&project, Role::Member).await;
        let instance = store(&cloud, instance(&cloud, &project, "one")).await;
        let path = format!("/compute/v2.1/servers/{}", instance.id);
        Self { cloud, project, member, path, instance }
    }

    async fn write(&self, edit: impl FnOnce(&mut Instance)) {
        let mut now = self.cloud.shared.database.get_instance(self.instance.id).await.unwrap().unwrap();
        edit(&mut now);
        assert_eq!(self.cloud.shared.database.update_instance(&now, None).await.unwrap(), Written::Done);
    }

    /// As a handler is given the caller.
    async fn caller(&self, project: &Project, role: Role) -> Caller {
        let token = self.cloud.token(project, role).await;
        let hash = crate::web::caller::token_sha256(&token);
        let grant = self.cloud.shared.database.get_token(&hash, self.cloud.shared.now()).await.unwrap().unwrap();
        Caller::for_test(grant)
    }
}

#[tokio::test]
async fn metadata_is_added_to_replaced_and_taken_away() {
    let lab = Lab::new().await;
    let (cloud, token) = (&lab.cloud, &lab.member);
    let path = format!("{}/metadata", lab.path);
    let put = async |path: &str, body: Value| cloud.put_at(token, path, &body, "2.1").await;
    assert_eq!(
        cloud.post(token, &path, &json!({"metadata": {"a": "1", "b": "2"}})).await.body,
        json!({"metadata": {"a": "1", "b": "2"}})
    );
    assert_eq!(cloud.post(token, &path, &json!({"metadata": {"b": "3"}})).await.body, json!({"metadata": {"a": "1", "b": "3"}}));
    assert_eq!(put(&path, json!({"metadata": {"c": "4"}})).await.body, json!({"metadata": {"c": "4"}}));
    let one = format!("{path}/d%20e");
    assert_eq!(put(&one, json!({"meta": {"d e": "5"}})).await.body, json!({"meta": {"d e": "5"}}));
    assert_eq!(cloud.get(token, &one).await.body, json!({"meta": {"d e": "5"}}));
    assert_eq!(cloud.get(token, &lab.path).await.body["server"]["metadata"], json!({"c": "4", "d e": "5"}));
    assert_eq!(cloud.delete(token, &one).await.status, StatusCode::NO_CONTENT);
    let gone = cloud.delete(token, &one).await;
    assert_eq!(
        (gone.status, &gone.body["itemNotFound"]["message"]),
        (StatusCode::NOT_FOUND, &json!("Metadata item was not found"))
    );
    assert_eq!(cloud.get(token, &one).await.status, StatusCode::NOT_FOUND);

    for (path, body) in [
        (path.clone(), json!({"metadata": {"": "x"}})),
        (path.clone(), json!({"metadata": {"k".repeat(256): "x"}})),
        (path.clone(), json!({"metadata": {"k": "x".repeat(256)}})),
        (path.clone(), json!({"metadata": {"k": 1}})),
        (path.clone(), json!({"metadata": null})),
        (path.clone(), json!({"metadata": []})),
        (path.clone(), json!({})),
        (one.clone(), json!({"meta": {"other": "x"}})),
        (one.clone(), json!({"meta": {"d e": "x", "f": "y"}})),
        (one.clone(), json!({"meta": {}})),
    ] {
        assert_eq!(put(&path, body.clone()).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let many: serde_json::Map<String, Value> = (0..129).map(|n| (format!("k{n}"), json!("v"))).collect();
    let refused = put(&path, json!({ "metadata": many })).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.body["forbidden"]["message"], "Maximum number of metadata items exceeds 128");
    assert_eq!(cloud.get(token, &path).await.body, json!({"metadata": {"c": "4"}}));

    lab.write(|instance| instance.task = Some(Task::Stopping)).await;
    assert_eq!(put(&path, json!({"metadata": {}})).await.status, StatusCode::CONFLICT);
    lab.write(|instance| (instance.task, instance.lock) = (None, Some(Lock { by: LockedBy::Owner, reason: None }))).await;
    let locked = put(&path, json!({"metadata": {}})).await;
    assert_eq!(
        (locked.status, locked.body["conflictingRequest"]["message"].as_str().unwrap().ends_with("is locked")),
        (StatusCode::CONFLICT, true)
    );
}

#[tokio::test]
async fn many_notes_at_once_all_arrive() {
    let lab = Lab::new().await;
    let path = format!("{}/metadata", lab.path);
    let added = (0..8).map(|n| {
        let body = json!({"metadata": {format!("k{n}"): "v"}});
        let (lab, path) = (&lab, &path);
        async move { lab.cloud.post(&lab.member, path, &body).await.status }
    });
    let added = futures::future::join_all(added).await;
    assert!(added.iter().all(|status| *status == StatusCode::OK), "{added:?}");
    assert_eq!(lab.cloud.get(&lab.member, &path).await.body["metadata"].as_object().unwrap().len(), 8);
}

#[tokio::test]
async fn tags_are_there_from_2_26() {
    let lab = Lab::new().await;
    let (cloud, token) = (&lab.cloud, &lab.member);
    let path = format!("{}/tags", lab.path);
    let put = async |path: &str, body: Value| cloud.put_at(token, path, &body, "2.26").await;
    assert_eq!(cloud.get_at(token, &path, "2.25").await.status, StatusCode::NOT_FOUND);
    assert_eq!(put(&path, json!({"tags": ["b", "a"]})).await.body, json!({"tags": ["a", "b"]}));
    let created = put(&format!("{path}/c"), json!({})).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert!(created.header("location").ends_with("/tags/c"));
    assert_eq!(put(&format!("{path}/c"), json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(cloud.get_at(token, &format!("{path}/c"), "2.26").await.status, StatusCode::NO_CONTENT);
    assert_eq!(cloud.delete_at(token, &format!("{path}/c"), "2.26").await.status, StatusCode::NO_CONTENT);
    assert_eq!(cloud.delete_at(token, &format!("{path}/c"), "2.26").await.status, StatusCode::NOT_FOUND);
    assert_eq!(cloud.get_at(token, &format!("{path}/c"), "2.26").await.status, StatusCode::NOT_FOUND);
    let many: Vec<String> = (0..51).map(|n| n.to_string()).collect();
    for bad in [
        json!({"tags": ["a,b"]}),
        json!({"tags": ["a/b"]}),
        json!({"tags": ["x".repeat(61)]}),
        json!({"tags": [5]}),
        json!({"tags": many}),
        json!({}),
    ] {
        assert_eq!(put(&path, bad.clone()).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    assert_eq!(put(&format!("{path}/{}", "x".repeat(61)), json!({})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(put(&format!("{path}/a%2Fb"), json!({})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(put(&path, json!({"tags": many[..50]})).await.status, StatusCode::OK);
    assert_eq!(put(&format!("{path}/one-more"), json!({})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(cloud.delete_at(token, &path, "2.26").await.status, StatusCode::NO_CONTENT);
    assert_eq!(cloud.get_at(token, &path, "2.26").await.body, json!({"tags": []}));
}

#[tokio::test]
async fn names_and_descriptions_change_by_version() {
    let lab = Lab::new().await;
    let (cloud, token) = (&lab.cloud, &lab.member);
    let put = async |fields: Value, version: &str| cloud.put_at(token, &lab.path, &json!({ "server": fields }), version).await;
    let old =
        put(json!({"name": "two", "accessIPv4": "192.0.2.1", "accessIPv6": "2001:DB8::0:1"}), "2.1").await.body["server"].clone();
    assert_eq!(
        (&old["name"], &old["accessIPv4"], &old["accessIPv6"]),
        (&json!("two"), &json!("192.0.2.1"), &json!("2001:db8::1"))
    );
    assert!(old.get("OS-EXT-STS:vm_state").is_none() && old.get("key_name").is_none(), "{old}");
    let new = put(json!({"description": "about it", "hostname": "h.example"}), "2.96").await.body["server"].clone();
    assert_eq!(
        (&new["description"], &new["OS-EXT-SRV-ATTR:hostname"], &new["OS-EXT-STS:vm_state"]),
        (&json!("about it"), &json!("h.example"), &json!("active"))
    );
    assert_eq!(put(json!({"description": null}), "2.19").await.body["server"]["description"], Value::Null);
    for (version, fields) in [
        ("2.1", json!({"name": ""})),
        ("2.1", json!({"name": "x".repeat(256)})),
        ("2.1", json!({"name": "a\u{0}"})),
        ("2.1", json!({"accessIPv4": "1.2.3"})),
        ("2.18", json!({"description": "x"})),
        ("2.89", json!({"hostname": "x"})),
        ("2.90", json!({"hostname": "a.b"})),
        ("2.1", json!({"surprise": 1})),
        ("2.1", json!({"OS-DCF:diskConfig": "AUTO"})),
    ] {
        assert_eq!(put(fields.clone(), version).await.status, StatusCode::BAD_REQUEST, "{version} {fields}");
    }
    let stranger = cloud.token(&cloud.project("q").await, Role::Member).await;
    for suffix in ["", "/metadata", "/tags", "/os-instance-actions"] {
        let path = format!("{}{suffix}", lab.path);
        assert_eq!(cloud.get_at(&stranger, &path, "2.90").await.status, StatusCode::NOT_FOUND, "{suffix}");
    }
    assert_eq!(
        cloud.put_at(&stranger, &lab.path, &json!({"server": {"name": "mine"}}), "2.1").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn owners_open_their_own_locks_and_administrators_all() {
    let lab = Lab::new().await;
    let shared = &lab.cloud.shared;
    let other = lab.cloud.project("operators").await;
    let (owner, admin) = (lab.caller(&lab.project, Role::Member).await, lab.caller(&other, Role::Admin).await);
    let newest = Microversion(73);
    let shown = async || lab.cloud.get_at(&lab.member, &lab.path, "2.73").await.body["server"].clone();

    let body = json!({"lock": {"locked_reason": "careful"}});
    lock::lock(shared, &owner, newest, lab.instance.id, &body).await.unwrap();
    let server = shown().await;
    assert_eq!((&server["locked"], &server["locked_reason"]), (&json!(true), &json!("careful")));
    lock::unlock(shared, &owner, lab.instance.id).await.unwrap();
    assert_eq!(shown().await["locked"], false);

    lock::lock(shared, &admin, newest, lab.instance.id, &json!({"lock": null})).await.unwrap();
    let refused = lock::unlock(shared, &owner, lab.instance.id).await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    lock::unlock(shared, &admin, lab.instance.id).await.unwrap();
    assert_eq!(shown().await["locked"], false);
    for bad in
        [json!({"lock": {"locked_reason": ""}}), json!({"lock": {"locked_reason": "x".repeat(256)}}), json!({"lock": {"x": 1}})]
    {
        assert_eq!(
            lock::lock(shared, &owner, newest, lab.instance.id, &bad).await.unwrap_err().status(),
            StatusCode::BAD_REQUEST
        );
    }

    let actions = lab.cloud.get(&lab.member, &format!("{}/os-instance-actions", lab.path)).await.body;
    let names: Vec<_> =
        actions["instanceActions"].as_array().unwrap().iter().map(|action| action["action"].as_str().unwrap()).collect();
    assert_eq!(names, ["unlock", "lock", "unlock", "lock"]);
}

#[tokio::test]
async fn the_journal_is_shown_as_actions() {
    let lab = Lab::new().await;
    let (cloud, token) = (&lab.cloud, &lab.member);
    let made = store(cloud, instance(cloud, &lab.project, "made")).await;
    for n in 0..3 {
        let at = cloud.shared.now().plus(std::time::Duration::from_secs(n));
        let operation = Operation {
            id: OperationId::new(&RandomIds),
            kind: OperationKind::StopInstance,
            subject: Subject::Instance(made.id),
            project_id: lab.project.id,
            user_id: made.user_id,
            request_id: RequestId::from_stored(format!("req-{n}")),
            status: OperationStatus::Undone,
            next_step: 0,
            state: json!({}),
            fault: None,
            cancel_requested: false,
            lease: None,
            started_at: at,
            finished_at: Some(at),
        };
        let now = cloud.shared.database.get_instance(made.id).await.unwrap().unwrap();
        assert_eq!(cloud.shared.database.update_instance_recorded(&now, &operation).await.unwrap(), Written::Done);
    }
    let path = format!("/compute/v2.1/servers/{}/os-instance-actions", made.id);
    let requests = |body: &Value| -> Vec<String> {
        body["instanceActions"].as_array().unwrap().iter().map(|row| row["request_id"].as_str().unwrap().to_owned()).collect()
    };
    let all = cloud.get_at(token, &path, "2.58").await.body;
    assert_eq!(requests(&all), ["req-2", "req-1", "req-0"]);
    assert_eq!((&all["instanceActions"][0]["action"], &all["instanceActions"][0]["message"]), (&json!("stop"), &json!("Error")));
    let page = cloud.get_at(token, &format!("{path}?limit=1&marker=req-2"), "2.58").await.body;
    assert_eq!(requests(&page), ["req-1"]);
    assert!(page["links"][0]["href"].as_str().unwrap().ends_with("limit=1&marker=req-1"));
    assert_eq!(requests(&cloud.get_at(token, &format!("{path}?changes-since=2100-01-01T00:00:00"), "2.58").await.body), [""; 0]);
    for (query, version, status) in [
        ("marker=none", "2.58", 400),
        ("limit=-1", "2.58", 400),
        ("changes-since=x", "2.58", 400),
        ("changes-before=2020-01-01", "2.65", 400),
        ("changes-before=2020-01-01T00:00:00", "2.66", 200),
        ("surprise=1", "2.57", 200),
        ("surprise=1", "2.58", 400),
    ] {
        assert_eq!(cloud.get_at(token, &format!("{path}?{query}"), version).await.status.as_u16(), status, "{query} {version}");
    }
    let show = async |token: &str, version: &str| {
        cloud.get_at(token, &format!("{path}/req-1"), version).await.body["instanceAction"].clone()
    };
    assert!(show(token, "2.50").await.get("events").is_none());
    assert_eq!(show(token, "2.51").await["events"], json!([]));
    let admin = cloud.token(&lab.project, Role::Admin).await;
    assert_eq!(show(&admin, "2.1").await["events"], json!([]));
    assert_eq!(cloud.get(token, &format!("{path}/req-9")).await.status, StatusCode::NOT_FOUND);

    let mut deleted = cloud.shared.database.get_instance(made.id).await.unwrap().unwrap();
    deleted.state = InstanceState::Deleted;
    assert_eq!(cloud.shared.database.update_instance(&deleted, None).await.unwrap(), Written::Done);
    assert_eq!(cloud.get_at(token, &path, "2.20").await.status, StatusCode::NOT_FOUND);
    assert_eq!(requests(&cloud.get_at(token, &path, "2.21").await.body).len(), 3);
}

#[tokio::test]
async fn servers_are_found_by_what_is_noted_on_them() {
    let lab = Lab::new().await;
    let (cloud, project) = (&lab.cloud, &lab.project);
    let admin = cloud.token(project, Role::Admin).await;
    let tags = |list: &[&str]| list.iter().map(|tag| (*tag).to_owned()).collect();
    let two = Instance {
        tags: tags(&["a", "ab"]),
        reservation_id: Some("r-1".into()),
        launch_index: 1,
        key_name: Some("k".into()),
        ..instance(cloud, project, "two")
    };
    let three = Instance {
        tags: tags(&["b"]),
        lock: Some(Lock { by: LockedBy::Owner, reason: None }),
        description: Some("third".into()),
        access_ipv4: Some([192, 0, 2, 3].into()),
        power: PowerState::Shutdown,
        state: InstanceState::Stopped,
        ..instance(cloud, project, "three")
    };
    store(cloud, two.clone()).await;
    store(cloud, three.clone()).await;
    let names = async |query: &str| -> Vec<String> {
        let answer =
            cloud.get_at(&admin, &format!("/compute/v2.1/servers?sort_key=display_name&sort_dir=asc&{query}"), "2.90").await;
        let rows = answer.body["servers"].as_array().unwrap_or_else(|| panic!("{query}: {}", answer.body)).clone();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    for (query, expected) in [
        ("tags=a", vec!["two"]),
        ("tags=a,ab", vec!["two"]),
        ("tags=a,b", vec![]),
        ("tags-any=a,b", vec!["three", "two"]),
        ("not-tags=a,b", vec!["one", "three", "two"]),
        ("not-tags-any=a,b", vec!["one"]),
        ("reservation_id=r-1", vec!["two"]),
        ("launch_index=1", vec!["two"]),
        ("key_name=k", vec!["two"]),
        ("locked=true", vec!["three"]),
        ("locked=0", vec!["one", "two"]),
        ("description=third", vec!["three"]),
        ("access_ip_v4=192.0.2.3", vec!["three"]),
        ("power_state=4", vec!["three"]),
        ("power_state=9", vec![]),
        ("vm_state=stopped", vec!["three"]),
        ("hostname=two", vec!["two"]),
        ("ip=10.0.0.1", vec![]),
        ("changes-before=2000-01-01T00:00:00", vec![]),
        ("changes-before=2100-01-01T00:00:00", vec!["one", "three", "two"]),
    ] {
        assert_eq!(names(query).await, expected, "{query}");
    }
    assert_eq!(names(&format!("uuid={}", two.id)).await, ["two"]);
    assert_eq!(names(&format!("user_id={}", three.user_id)).await, ["three"]);
    let status =
        async |query: &str| cloud.get_at(&admin, &format!("/compute/v2.1/servers?{query}"), "2.73").await.status.as_u16();
    for (query, expected) in [
        ("locked=maybe", 400),
        ("sort_key=locked", 200),
        ("sort_key=terminated_at", 200),
        ("sort_key=display_description", 200),
        ("changes-since=2020-01-02T00:00:00&changes-before=2020-01-01T00:00:00", 400),
        ("created_at=yesterday", 400),
    ] {
        assert_eq!(status(query).await, expected, "{query}");
    }
}

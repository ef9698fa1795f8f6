//! The operator's API: hosts. Who may use it is in `authorization.rs`.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cuttle_model::clock::Timestamp;
use cuttle_model::host::{Administrative, Host};
use cuttle_model::identity::Role;
use cuttle_model::ids::{HostId, RandomIds};
use serde_json::{Value, json};

use super::{Answer, Cloud};

async fn with_host(cloud: &Cloud, name: &str) -> Host {
    let host = Host {
        id: HostId::new(&RandomIds),
        name: name.parse().unwrap(),
        administrative: Administrative::Enabled,
        resources: None,
        boot_id: None,
        last_seen_at: None,
        ceph_generation: 1,
        created_at: Timestamp::from_micros(1),
    };
    cloud.shared.database.insert_host(&host).await.unwrap();
    host
}

async fn admin(cloud: &Cloud) -> String {
    let project = cloud.project("operators").await;
    cloud.token(&project, Role::Admin).await
}

fn message(answer: &Answer) -> &str {
    answer.body["error"]["message"].as_str().unwrap_or_else(|| panic!("{}", answer.body))
}

#[tokio::test]
async fn hosts_are_listed_shown_disabled_and_enabled() {
    let cloud = Cloud::new().await;
    let token = admin(&cloud).await;
    assert_eq!(cloud.get(&token, "/operator/v1/hosts").await.body, json!({"hosts": []}));
    with_host(&cloud, "host2").await;
    let host = with_host(&cloud, "host1").await;
    let listed = cloud.get(&token, "/operator/v1/hosts").await.body;
    let names: Vec<_> = listed["hosts"].as_array().unwrap().iter().map(|host| host["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["host1", "host2"]);
    let shown = cloud.get(&token, "/operator/v1/hosts/host1").await.body;
    for (name, value) in listed["hosts"][0].as_object().unwrap() {
        assert_eq!(shown["host"][name], *value, "{name}");
    }
    assert_eq!(shown["host"]["certificate_expires_at"], Value::Null);
    assert_eq!(shown["host"]["older_ceph_clients"], json!([]));
    assert_eq!((&shown["host"]["state"], &shown["host"]["resources"]), (&json!("new"), &Value::Null));

    cloud.shared.database.record_beats(&[(host.id, cloud.shared.now())]).await.unwrap();
    let disabled = cloud.post(&token, "/operator/v1/hosts/host1/disable", &json!({"reason": "memory is replaced"})).await;
    assert_eq!(disabled.status, StatusCode::OK);
    assert_eq!(disabled.body["host"]["disabled_reason"], "memory is replaced");
    let shown = cloud.get(&token, "/operator/v1/hosts/host1").await.body;
    assert_eq!((&shown["host"]["status"], &shown["host"]["state"]), (&json!("disabled"), &json!("up")));
    let enabled = cloud.post(&token, "/operator/v1/hosts/host1/enable", &json!({})).await;
    assert_eq!((enabled.status, &enabled.body["host"]["disabled_reason"]), (StatusCode::OK, &Value::Null));
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let cloud = Cloud::new().await;
    let token = admin(&cloud).await;
    with_host(&cloud, "host1").await;
    for (body, field) in [
        (json!({"reason": ""}), "reason"),
        (json!({"reason": 5}), "reason"),
        (json!({"reason": "x".repeat(256)}), "reason"),
        (json!({"reason": "a\u{0}b"}), "reason"),
        (json!({"surprise": 1}), "surprise"),
    ] {
        let answer = cloud.post(&token, "/operator/v1/hosts/host1/disable", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(message(&answer).contains(field), "{body}: {}", message(&answer));
    }
    let answer = cloud.get(&token, "/operator/v1/hosts?name=x").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(message(&answer).contains("name"));
    for path in ["hosts/host9", "hosts/UPPER", "hosts/%00", "hosts/a%2Fb", "hosts/host1/nothing", "nothing", ""] {
        let answer = cloud.get(&token, &format!("/operator/v1/{path}")).await;
        assert_eq!((answer.status, &answer.body["error"]["code"]), (StatusCode::NOT_FOUND, &json!(404)), "{path}");
    }
    assert_eq!(cloud.post(&token, "/operator/v1/hosts/host9/disable", &json!({})).await.status, StatusCode::NOT_FOUND);
    let shown = cloud.get(&token, "/operator/v1/hosts/host1").await.body;
    assert_eq!(shown["host"]["status"], "enabled", "nothing was left behind");
}

#[tokio::test]
async fn tenants_are_refused_before_anything_is_looked_at() {
    let cloud = Cloud::new().await;
    with_host(&cloud, "host1").await;
    for name in ["one", "two"] {
        let project = cloud.project(name).await;
        let token = cloud.token(&project, Role::Manager).await;
        for path in ["hosts", "hosts/host1", "hosts/host9"] {
            let answer = cloud.get(&token, &format!("/operator/v1/{path}")).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
            assert!(!answer.body.to_string().contains("host1"));
        }
        let request = Request::post("/operator/v1/hosts/host1/disable").header("x-auth-token", &token);
        let answer = cloud.send(request.body(Body::from("no json")).unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_host_that_is_added_is_given_a_token_and_another_until_it_has_joined() {
    let cloud = Cloud::new().await;
    let token = admin(&cloud).await;
    let added = cloud.post(&token, "/operator/v1/hosts", &json!({"name": "host1"})).await;
    assert_eq!((added.status, added.header("cache-control")), (StatusCode::CREATED, "no-store"), "{}", added.body);
    let first = added.body["join_token"].as_str().unwrap().to_owned();
    let read: cuttle_compute_protocol::JoinToken = first.parse().unwrap();
    assert_eq!(read.authority_sha256, cloud.shared.authority.sha256());
    let again = cloud.post(&token, "/operator/v1/hosts", &json!({"name": "host1"})).await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert_ne!(again.body["join_token"], first.as_str());
    assert_eq!(again.body["host"]["id"], added.body["host"]["id"]);

    let events = cloud.get(&token, "/operator/v1/hosts/host1/events").await.body;
    let kinds: Vec<_> = events["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["token_issued", "token_issued"]);
    assert!(!events.to_string().contains(read.secret()), "{events}");

    let host = cloud.shared.database.find_host(&"host1".parse().unwrap()).await.unwrap().unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let (shared, request) = (&cloud.shared, request.pem().unwrap());
    let signed = shared.authority.sign(&host, &request, shared.now(), shared.ids.as_ref()).unwrap();
    let secret = again.body["join_token"].as_str().unwrap().parse::<cuttle_compute_protocol::JoinToken>().unwrap();
    let joining = cuttle_database::Joining {
        public_key_sha256: signed.public_key_sha256,
        from: "10.0.0.1".into(),
        certificate: signed.certificate,
    };
    shared.registry().settle(&host, secret.secret(), &joining).await.unwrap();
    let refused = cloud.post(&token, "/operator/v1/hosts", &json!({"name": "host1"})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let rejoin = cloud.post(&token, "/operator/v1/hosts/host1/rejoin", &json!({})).await;
    assert_eq!(rejoin.status, StatusCode::OK, "{}", rejoin.body);
    for (body, field) in [(json!({}), "name"), (json!({"name": "UPPER"}), "name"), (json!({"name": "a", "x": 1}), "x")] {
        let answer = cloud.post(&token, "/operator/v1/hosts", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(message(&answer).contains(field), "{body}: {}", message(&answer));
    }
    assert_eq!(cloud.post(&token, "/operator/v1/hosts/host9/rejoin", &json!({})).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_catalog_names_it() {
    let cloud = Cloud::new().await;
    let token = admin(&cloud).await;
    let catalog = cloud.get(&token, "/identity/v3/auth/catalog").await.body;
    let entry = catalog["catalog"].as_array().unwrap().iter().find(|entry| entry["type"] == "cuttle-operator").unwrap();
    assert_eq!(entry["endpoints"][0]["url"], "http://cloud.test:8774/operator/v1");
}

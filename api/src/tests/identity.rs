//! Tokens: who gets one, for what, and what it says.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use cuttle_model::identity::Role;
use serde_json::{Value, json};

use super::{Answer, Cloud};

async fn sign_in(cloud: &Cloud, name: &str, password: &str, scope: Value) -> Answer {
    let user = json!({"name": name, "domain": {"id": "default"}, "password": password});
    let mut auth = json!({"identity": {"methods": ["password"], "password": {"user": user}}});
    if !scope.is_null() {
        auth["scope"] = scope;
    }
    cloud.post("", "/identity/v3/auth/tokens", &json!({ "auth": auth })).await
}

fn names(list: &Value, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_password_gives_a_token_with_implied_roles_and_the_catalog() {
    let cloud = Cloud::new().await;
    let project = cloud.project("demo").await;
    cloud.user("ann", "a password", Some((&project, Role::Member))).await;
    let scope = json!({"project": {"name": "demo", "domain": {"name": "Default"}}});
    let answer = sign_in(&cloud, "ann", "a password", scope).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let token = &answer.body["token"];
    assert_eq!(names(&token["roles"], "name"), ["member", "reader"]);
    assert_eq!(token["project"]["id"], project.id.to_string());
    assert_eq!(names(&token["catalog"], "type"), ["identity", "compute", "image", "cuttle-operator"]);
    for service in token["catalog"].as_array().unwrap() {
        assert_eq!(names(&service["endpoints"], "interface"), ["public", "internal", "admin"]);
    }
    let id = answer.header("x-subject-token");
    assert_eq!(cloud.get(id, "/compute/v2.1/servers").await.status, StatusCode::OK);
    assert!(answer.header("x-openstack-request-id").starts_with("req-"));
}

#[tokio::test]
async fn every_refusal_is_the_same() {
    let cloud = Cloud::new().await;
    let (mine, other) = (cloud.project("mine").await, cloud.project("other").await);
    cloud.user("ann", "a password", Some((&mine, Role::Member))).await;
    let in_other = json!({"project": {"id": other.id}});
    let cases = [
        ("ann", "wrong", Value::Null),
        ("nobody", "a password", Value::Null),
        ("ann", "a password", in_other),
        ("ann", "a password", json!({"project": {"id": "no-id"}})),
        ("ann", "a password", json!({"system": {"all": true}})),
        ("ann", &"x".repeat(10_000), Value::Null),
    ];
    let mut bodies = Vec::new();
    for (name, password, scope) in cases {
        let answer = sign_in(&cloud, name, password, scope).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
        assert!(!answer.header("www-authenticate").is_empty());
        bodies.push(answer.body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0] && body["error"]["code"] == 401), "{bodies:?}");
}

#[tokio::test]
async fn a_token_is_shown_checked_rescoped_and_revoked() {
    let cloud = Cloud::new().await;
    let project = cloud.project("demo").await;
    cloud.user("ann", "a password", Some((&project, Role::Reader))).await;
    let first = sign_in(&cloud, "ann", "a password", json!("unscoped")).await;
    let id = first.header("x-subject-token").to_owned();
    assert!(first.body["token"]["project"].is_null() && first.body["token"]["catalog"].is_null());
    assert_eq!(cloud.get(&id, "/compute/v2.1/servers").await.status, StatusCode::FORBIDDEN);
    assert_eq!(names(&cloud.get(&id, "/identity/v3/auth/projects").await.body["projects"], "name"), ["demo"]);

    let identity = json!({"methods": ["token"], "token": {"id": id}});
    let body = json!({"auth": {"identity": identity, "scope": {"project": {"id": project.id}}}});
    let second = cloud.post("", "/identity/v3/auth/tokens", &body).await;
    assert_eq!(second.status, StatusCode::CREATED);
    assert_eq!(second.body["token"]["expires_at"], first.body["token"]["expires_at"]);
    let scoped = second.header("x-subject-token").to_owned();

    let about = |method: Method, subject: &str| {
        let request = Request::builder().method(method).uri("/identity/v3/auth/tokens");
        request.header("x-auth-token", &scoped).header("x-subject-token", subject).body(Body::empty()).unwrap()
    };
    let shown = cloud.send(about(Method::GET, &scoped)).await;
    assert_eq!((shown.status, shown.body), (StatusCode::OK, second.body.clone()));
    assert_eq!(cloud.send(about(Method::HEAD, &scoped)).await.status, StatusCode::OK);
    assert_eq!(cloud.send(about(Method::GET, "unknown")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(cloud.send(about(Method::DELETE, &scoped)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(cloud.send(about(Method::GET, &scoped)).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn others_do_not_exist_for_a_user() {
    let cloud = Cloud::new().await;
    let (mine, other) = (cloud.project("mine").await, cloud.project("other").await);
    let stranger = cloud.user("bob", "b", Some((&other, Role::Member))).await;
    let (member, admin) = (cloud.token(&mine, Role::Member).await, cloud.token(&mine, Role::Admin).await);
    let strange = [
        format!("/identity/v3/projects/{}", other.id),
        format!("/identity/v3/users/{}", stranger.id),
        format!("/identity/v3/users/{}/projects", stranger.id),
    ];
    for path in strange {
        assert_eq!(cloud.get(&member, &path).await.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(cloud.get(&admin, &path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(cloud.get(&member, &format!("/identity/v3/projects/{}", mine.id)).await.status, StatusCode::OK);
    assert_eq!(names(&cloud.get(&admin, "/identity/v3/projects?name=mine").await.body["projects"], "name"), ["mine"]);
    assert_eq!(cloud.get(&admin, "/identity/v3/projects/mine").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn versions_are_answered_to_anybody() {
    let cloud = Cloud::new().await;
    for (path, status) in [("/identity", 300), ("/identity/", 300), ("/identity/v3", 200), ("/identity/v3/", 200)] {
        assert_eq!(cloud.get("", path).await.status.as_u16(), status, "{path}");
    }
    let answer = cloud.get("", "/identity/v3").await;
    assert_eq!(answer.body["version"]["links"][0]["href"], "http://cloud.test:8774/identity/v3/");
}

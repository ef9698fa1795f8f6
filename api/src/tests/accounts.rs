//! Users, projects, roles and application credentials, and how tokens end with them.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use cuttle_model::identity::Role;
use serde_json::{Value, json};

use super::{Answer, Cloud};

async fn call(cloud: &Cloud, method: Method, token: &str, path: &str, body: Value) -> Answer {
    let request = Request::builder().method(method).uri(format!("/identity/v3{path}"));
    let request = request.header("x-auth-token", token).header("content-type", "application/json");
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    cloud.send(request.body(body).unwrap()).await
}

async fn sign_in(cloud: &Cloud, identity: Value, scope: Value) -> Answer {
    let mut auth = json!({ "identity": identity });
    if !scope.is_null() {
        auth["scope"] = scope;
    }
    call(cloud, Method::POST, "", "/auth/tokens", json!({ "auth": auth })).await
}

fn password(name: &str, password: &str) -> Value {
    let user = json!({"name": name, "domain": {"id": "default"}, "password": password});
    json!({"methods": ["password"], "password": {"user": user}})
}

fn id(answer: &Answer, kind: &str) -> String {
    assert!(answer.status.is_success(), "{} {}", answer.status, answer.body);
    answer.body[kind]["id"].as_str().unwrap().to_owned()
}

/// A cloud with an administrator's token.
async fn ruled() -> (Cloud, String) {
    let cloud = Cloud::new().await;
    let project = cloud.project("admin").await;
    let admin = cloud.token(&project, Role::Admin).await;
    (cloud, admin)
}

#[tokio::test]
async fn projects_users_and_roles_live_and_die() {
    let (cloud, admin) = ruled().await;
    for (path, kind) in [("/projects", "project"), ("/users", "user"), ("/roles", "role")] {
        let body = |name: &str| json!({ kind: {"name": name} });
        let made = call(&cloud, Method::POST, &admin, path, body("one")).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        let one = id(&made, kind);
        assert_eq!(call(&cloud, Method::POST, &admin, path, body("one")).await.status, StatusCode::CONFLICT);
        call(&cloud, Method::POST, &admin, path, body("two")).await;
        let at = format!("{path}/{one}");
        assert_eq!(cloud.get(&admin, &format!("/identity/v3{at}")).await.body[kind], made.body[kind]);
        let renamed = call(&cloud, Method::PATCH, &admin, &at, json!({ kind: {"name": "uno", "description": "d"} })).await;
        assert_eq!((&renamed.body[kind]["name"], &renamed.body[kind]["description"]), (&json!("uno"), &json!("d")));
        assert_eq!(call(&cloud, Method::PATCH, &admin, &at, body("two")).await.status, StatusCode::CONFLICT);
        let listed = cloud.get(&admin, &format!("/identity/v3{path}?name=uno")).await;
        assert_eq!(listed.body[format!("{kind}s")].as_array().unwrap().len(), 1);
        assert_eq!(cloud.delete(&admin, &format!("/identity/v3{at}")).await.status, StatusCode::NO_CONTENT);
        assert_eq!(cloud.delete(&admin, &format!("/identity/v3{at}")).await.status, StatusCode::NOT_FOUND);
        assert_eq!(call(&cloud, Method::PATCH, &admin, &at, body("x")).await.status, StatusCode::NOT_FOUND);
        for wrong in [
            json!({}),
            json!({ kind: {"name": "a", "surprise": 1} }),
            json!({ kind: {"name": 5} }),
            json!({ kind: {"name": ""} }),
        ] {
            let refused = call(&cloud, Method::POST, &admin, path, wrong.clone()).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong}");
        }
    }
    let reader = format!("/roles/{}", Role::Reader.id());
    assert_eq!(call(&cloud, Method::PATCH, &admin, &reader, json!({"role": {"name": "x"}})).await.status, StatusCode::FORBIDDEN);
    assert_eq!(call(&cloud, Method::DELETE, &admin, &reader, Value::Null).await.status, StatusCode::FORBIDDEN);
    let taken = call(&cloud, Method::POST, &admin, "/roles", json!({"role": {"name": "admin"}})).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn roles_are_assigned_listed_and_taken_away() {
    let (cloud, admin) = ruled().await;
    let project = cloud.project("demo").await;
    let user = cloud.user("ann", "a password", None).await;
    let custom = id(&call(&cloud, Method::POST, &admin, "/roles", json!({"role": {"name": "watcher"}})).await, "role");
    let path = |role: &str| format!("/projects/{}/users/{}/roles/{role}", project.id, user.id);
    let member = path(&Role::Member.id().to_string());
    assert_eq!(call(&cloud, Method::HEAD, &admin, &member, Value::Null).await.status, StatusCode::NOT_FOUND);
    for role in [&member, &path(&custom), &member] {
        assert_eq!(call(&cloud, Method::PUT, &admin, role, Value::Null).await.status, StatusCode::NO_CONTENT);
        assert_eq!(call(&cloud, Method::HEAD, &admin, role, Value::Null).await.status, StatusCode::NO_CONTENT);
    }
    let nowhere = format!("/projects/{custom}/users/{}/roles/{custom}", user.id);
    for missing in [nowhere, path(&project.id.to_string()), path("x")] {
        assert_eq!(call(&cloud, Method::PUT, &admin, &missing, Value::Null).await.status, StatusCode::NOT_FOUND, "{missing}");
    }
    let listed = async |query: &str| {
        let answer = cloud.get(&admin, &format!("/identity/v3/role_assignments?user.id={}{query}", user.id)).await;
        answer.body["role_assignments"].as_array().unwrap().clone()
    };
    assert_eq!(listed("").await.len(), 2);
    assert_eq!(listed("&effective").await.len(), 3, "member holds reader");
    assert_eq!(listed(&format!("&role.id={custom}")).await.len(), 1);
    assert_eq!(listed("&scope.system=all").await.len(), 0);
    assert_eq!(listed(&format!("&scope.project.id={}", user.id)).await.len(), 0);
    let named = &listed(&format!("&include_names&role.id={custom}")).await[0];
    assert_eq!((&named["role"]["name"], &named["user"]["name"]), (&json!("watcher"), &json!("ann")));

    let scope = json!({"project": {"id": project.id}});
    let token = sign_in(&cloud, password("ann", "a password"), scope.clone()).await;
    let mut roles: Vec<&str> =
        token.body["token"]["roles"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["member", "reader", "watcher"]);
    let token = token.header("x-subject-token").to_owned();
    assert_eq!(cloud.get(&token, "/compute/v2.1/servers").await.status, StatusCode::OK);
    assert_eq!(call(&cloud, Method::DELETE, &admin, &member, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(cloud.get(&token, "/compute/v2.1/servers").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(call(&cloud, Method::DELETE, &admin, &member, Value::Null).await.status, StatusCode::NOT_FOUND);

    // A role of somebody's own making gives no power here.
    let token = sign_in(&cloud, password("ann", "a password"), scope.clone()).await;
    assert_eq!(token.status, StatusCode::CREATED);
    assert_eq!(cloud.get(token.header("x-subject-token"), "/compute/v2.1/servers").await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        call(&cloud, Method::DELETE, &admin, &format!("/roles/{custom}"), Value::Null).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(cloud.get(token.header("x-subject-token"), "/identity/v3/auth/tokens").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&cloud, password("ann", "a password"), scope).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_ends_a_token_ends_it_at_once() {
    let (cloud, admin) = ruled().await;
    let project = cloud.project("demo").await;
    let user = cloud.user("ann", "first", Some((&project, Role::Member))).await;
    let token = async |password_now: &str| {
        let answer = sign_in(&cloud, password("ann", password_now), Value::Null).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        let token = answer.header("x-subject-token").to_owned();
        assert_eq!(cloud.get(&token, "/compute/v2.1/servers").await.status, StatusCode::OK);
        token
    };
    let is_void = async |token: &str| cloud.get(token, "/compute/v2.1/servers").await.status == StatusCode::UNAUTHORIZED;
    let user_path = format!("/users/{}", user.id);
    let project_path = format!("/projects/{}", project.id);

    let held = token("first").await;
    let change = |old: &str, new: &str| json!({"user": {"original_password": old, "password": new}});
    let own = format!("{user_path}/password");
    assert_eq!(call(&cloud, Method::POST, &held, &own, change("wrong", "x")).await.status, StatusCode::UNAUTHORIZED);
    assert!(!is_void(&held).await);
    assert_eq!(call(&cloud, Method::POST, "", &own, change("first", "second")).await.status, StatusCode::NO_CONTENT);
    assert!(is_void(&held).await);
    assert_eq!(sign_in(&cloud, password("ann", "first"), Value::Null).await.status, StatusCode::UNAUTHORIZED);

    for (path, kind) in [(&user_path, "user"), (&project_path, "project")] {
        let held = token("second").await;
        for enabled in [false, true] {
            let answer = call(&cloud, Method::PATCH, &admin, path, json!({ kind: {"enabled": enabled} })).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            assert!(is_void(&held).await, "{kind} {enabled}");
        }
    }
    let held = token("second").await;
    call(&cloud, Method::PATCH, &admin, &user_path, json!({"user": {"password": "third"}})).await;
    assert!(is_void(&held).await);
    let held = token("third").await;
    assert_eq!(call(&cloud, Method::DELETE, &admin, &project_path, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert!(is_void(&held).await);
    let unscoped = sign_in(&cloud, password("ann", "third"), json!("unscoped")).await.header("x-subject-token").to_owned();
    assert_eq!(call(&cloud, Method::DELETE, &admin, &user_path, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(cloud.get(&unscoped, "/identity/v3/auth/projects").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_application_credential_signs_in_within_its_bounds() {
    let (cloud, admin) = ruled().await;
    let (project, other) = (cloud.project("demo").await, cloud.project("other").await);
    let user = cloud.user("ann", "a password", Some((&project, Role::Member))).await;
    cloud.shared.database.assign_role(user.id, other.id, Role::Member).await.unwrap();
    let token = sign_in(&cloud, password("ann", "a password"), Value::Null).await.header("x-subject-token").to_owned();
    let path = format!("/users/{}/application_credentials", user.id);
    let body = |fields: Value| json!({ "application_credential": fields });
    let made = call(&cloud, Method::POST, &token, &path, body(json!({"name": "robot", "roles": [{"name": "reader"}]}))).await;
    let credential = id(&made, "application_credential");
    let secret = made.body["application_credential"]["secret"].as_str().unwrap().to_owned();
    let shown = cloud.get(&token, &format!("/identity/v3{path}/{credential}")).await;
    assert!(shown.body["application_credential"].get("secret").is_none(), "it is shown once");

    for wrong in [
        json!({"name": "robot"}),
        json!({"name": "a", "roles": [{"name": "admin"}]}),
        json!({"name": "a", "expires_at": "2001-01-01T00:00:00"}),
        json!({"name": "a", "access_rules": [{"path": "/x"}]}),
        json!({"name": "a", "project_id": other.id}),
    ] {
        let refused = call(&cloud, Method::POST, &token, &path, body(wrong.clone())).await;
        assert!(refused.status.is_client_error(), "{wrong}: {}", refused.status);
    }
    let identity = |secret: &str| json!({"methods": ["application_credential"], "application_credential": {"id": credential, "secret": secret}});
    let signed = sign_in(&cloud, identity(&secret), Value::Null).await;
    assert_eq!(signed.status, StatusCode::CREATED, "{}", signed.body);
    assert_eq!(signed.body["token"]["methods"], json!(["application_credential"]));
    assert_eq!(signed.body["token"]["application_credential"]["restricted"], true);
    assert_eq!(signed.body["token"]["roles"].as_array().unwrap().len(), 1);
    assert_eq!(sign_in(&cloud, identity("wrong"), Value::Null).await.status, StatusCode::UNAUTHORIZED);
    let robot = signed.header("x-subject-token").to_owned();
    let create = json!({"name": "x"});
    assert_eq!(cloud.post(&robot, "/image/v2/images", &create).await.status, StatusCode::FORBIDDEN, "it only reads");
    assert_eq!(call(&cloud, Method::POST, &robot, &path, body(create)).await.status, StatusCode::FORBIDDEN);

    // A token made from its token is no wider.
    let again = json!({"methods": ["token"], "token": {"id": robot}});
    let elsewhere = json!({"project": {"id": other.id}});
    assert_eq!(sign_in(&cloud, again.clone(), elsewhere).await.status, StatusCode::UNAUTHORIZED);
    let again = sign_in(&cloud, again, json!({"project": {"id": project.id}})).await;
    assert_eq!(again.body["token"]["roles"].as_array().unwrap().len(), 1);
    assert_eq!(again.body["token"]["methods"], json!(["application_credential", "token"]));

    // Another user sees none of it; an administrator does, but makes none for others.
    let stranger = cloud.token(&other, Role::Member).await;
    assert_eq!(cloud.get(&stranger, &format!("/identity/v3{path}/{credential}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(cloud.get(&admin, &format!("/identity/v3{path}/{credential}")).await.status, StatusCode::OK);
    assert_eq!(call(&cloud, Method::POST, &admin, &path, body(json!({"name": "b"}))).await.status, StatusCode::NOT_FOUND);

    assert_eq!(cloud.delete(&token, &format!("/identity/v3{path}/{credential}")).await.status, StatusCode::NO_CONTENT);
    for gone in [robot, again.header("x-subject-token").to_owned()] {
        assert_eq!(cloud.get(&gone, "/compute/v2.1/servers").await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn services_endpoints_and_the_region_are_listed() {
    let (cloud, admin) = ruled().await;
    let services = cloud.get(&admin, "/identity/v3/services").await.body["services"].clone();
    let endpoints = cloud.get(&admin, "/identity/v3/endpoints?interface=public").await.body["endpoints"].clone();
    assert_eq!(services.as_array().unwrap().len(), endpoints.as_array().unwrap().len());
    for (path, kind, list) in [("services", "service", &services), ("endpoints", "endpoint", &endpoints)] {
        let one = cloud.get(&admin, &format!("/identity/v3/{path}/{}", list[0]["id"].as_str().unwrap())).await;
        assert_eq!(one.body[kind], list[0]);
    }
    assert_eq!(cloud.get(&admin, "/identity/v3/regions").await.body["regions"][0]["id"], "RegionOne");
    assert_eq!(cloud.get(&admin, "/identity/v3/regions/RegionOne").await.status, StatusCode::OK);
    assert_eq!(cloud.get(&admin, "/identity/v3/regions/elsewhere").await.status, StatusCode::NOT_FOUND);
}

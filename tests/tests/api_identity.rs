//! Projects, users, roles and application credentials with the unmodified `openstack` client, as an
//! operator types it.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use cuttle_tests::{Cloud, OpenStack};
use serde_json::{Value, json};

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["Name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_openstack_client_manages_accounts() {
    let cloud = Cloud::from_env().await;
    let openstack = &mut OpenStack::new();
    let domain = ["--domain", "default"];

    let project = openstack.json(&[&["project", "create", "client-project", "--description", "of a test"][..], &domain].concat());
    assert_eq!((&project["name"], &project["enabled"]), (&json!("client-project"), &json!(true)));
    openstack.run(&["project", "set", "--name", "client-renamed", "--description", "d", "client-project"]);
    assert_eq!(openstack.json(&["project", "show", "client-renamed"])["description"], "d");
    assert!(names(&openstack.json(&["project", "list"])).contains(&"client-renamed"));

    let create =
        ["user", "create", "client-user", "--password", "first password", "--email", "a@b", "--project", "client-renamed"];
    let user = openstack.json(&[&create[..], &domain].concat());
    assert_eq!(user["email"], "a@b");
    openstack.run(&["user", "set", "--description", "somebody", "client-user"]);
    assert_eq!(openstack.json(&["user", "show", "client-user"])["description"], "somebody");
    assert!(names(&openstack.json(&["user", "list"])).contains(&"client-user"));

    openstack.json(&["role", "create", "client-role"]);
    openstack.run(&["role", "set", "--name", "client-role-2", "client-role"]);
    assert_eq!(openstack.json(&["role", "show", "client-role-2"])["name"], "client-role-2");
    assert!(names(&openstack.json(&["role", "list"])).contains(&"member"));
    for role in ["member", "client-role-2"] {
        openstack.run(&["role", "add", "--user", "client-user", "--project", "client-renamed", role]);
    }
    let assigned = openstack.json(&["role", "assignment", "list", "--user", "client-user", "--names"]);
    let mut roles: Vec<&str> = assigned.as_array().unwrap().iter().map(|row| row["Role"].as_str().unwrap()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["client-role-2", "member"], "{assigned}");
    assert_eq!(openstack.json(&["role", "assignment", "list", "--project", "client-renamed"]).as_array().unwrap().len(), 2);
    assert_eq!(names(&openstack.json(&["user", "list", "--project", "client-renamed"])), ["client-user"]);

    let own = |password| vec!["--os-username", "client-user", "--os-password", password, "--os-project-name", "client-renamed"];
    let as_user = |password, rest: &[&'static str]| [&own(password)[..], rest].concat();
    let token = openstack.json(&as_user("first password", &["token", "issue"]));
    let held = cloud.with_token(token["id"].as_str().unwrap());
    assert_eq!(held.get("/compute/v2.1/servers").await.status, 200);
    assert_eq!(openstack.try_run(&as_user("wrong", &["token", "issue"])).0, 1);
    let (status, said) = openstack.try_run(&as_user("first password", &["user", "list"]));
    assert!(status == 1 && said.contains("403"), "{said}");

    let change = ["user", "password", "set", "--original-password", "first password", "--password", "second password"];
    openstack.run(&as_user("first password", &change));
    assert_eq!(held.get("/compute/v2.1/servers").await.status, 401, "the old password's token is void");

    let create =
        ["application", "credential", "create", "client-robot", "--role", "reader", "--expiration", "2100-01-02T03:04:05"];
    let robot = openstack.json(&as_user("second password", &create));
    let (id, secret) = (robot["ID"].as_str().unwrap(), robot["Secret"].as_str().unwrap());
    let listed = openstack.json(&as_user("second password", &["application", "credential", "list"]));
    assert_eq!(names(&listed), ["client-robot"]);
    let identity = json!({"methods": ["application_credential"], "application_credential": {"id": id, "secret": secret}});
    let sign_in = cloud.anonymous().post("/identity/v3/auth/tokens", &json!({"auth": {"identity": identity}})).await;
    assert_eq!(sign_in.status, 201, "{}", sign_in.body);
    assert_eq!(sign_in.body["token"]["roles"][0]["name"], "reader");
    let robot = cloud.with_token(sign_in.headers["x-subject-token"].to_str().unwrap());
    assert_eq!(robot.get("/compute/v2.1/servers").await.status, 200);
    openstack.run(&as_user("second password", &["application", "credential", "delete", "client-robot"]));
    assert_eq!(robot.get("/compute/v2.1/servers").await.status, 401);

    let token = openstack.json(&as_user("second password", &["token", "issue"]));
    openstack.run(&["role", "remove", "--user", "client-user", "--project", "client-renamed", "member"]);
    let held = cloud.with_token(token["id"].as_str().unwrap());
    assert_eq!(held.get("/compute/v2.1/servers").await.status, 401, "the role went, and with it the token");

    assert!(openstack.json(&["catalog", "list"]).as_array().unwrap().len() >= 3);
    let endpoints = openstack.json(&["endpoint", "list"]);
    assert!(endpoints.as_array().unwrap().iter().any(|row| row["Service Type"] == "compute"), "{endpoints}");
    assert!(openstack.json(&["service", "list"]).as_array().unwrap().len() >= 3);
    assert_eq!(openstack.json(&["region", "list"]).as_array().unwrap().len(), 1);
    assert_eq!(names(&openstack.json(&["domain", "list"])), ["Default"]);
    assert_eq!(openstack.json(&["domain", "show", "default"])["name"], "Default");

    openstack.run(&["user", "set", "--disable", "client-user"]);
    assert_eq!(openstack.json(&["user", "show", "client-user"])["enabled"], false);
    openstack.run(&["user", "delete", "client-user"]);
    openstack.run(&["role", "delete", "client-role-2"]);
    openstack.run(&["project", "delete", "client-renamed"]);
    assert!(!names(&openstack.json(&["project", "list"])).contains(&"client-renamed"));
}

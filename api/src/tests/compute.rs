//! Versions, flavors and what can be read of servers without a cluster.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cuttle_model::identity::Role;
use serde_json::{Value, json};

use super::{Cloud, flavor};

#[tokio::test]
async fn every_answer_says_its_version_and_ids() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Reader).await;
    for (path, version, status, said) in [
        ("/compute/v2.1/flavors", "2.1", 200, "2.1"),
        ("/compute/v2.1/flavors", "latest", 200, "2.100"),
        ("/compute/v2.1/nothing", "2.50", 404, "2.50"),
        ("/compute/v2.1/servers/x", "2.50", 404, "2.50"),
        ("/compute/v2.1/flavors", "2.999", 406, "2.1"),
        ("/compute/v2.1/flavors", "two", 400, "2.1"),
        ("/compute", "2.1", 200, "2.1"),
        ("/compute/", "2.1", 200, "2.1"),
        ("/compute/v2.1", "2.1", 200, "2.1"),
        ("/compute/v2.1/", "2.1", 200, "2.1"),
        ("/compute/elsewhere", "2.1", 404, "2.1"),
    ] {
        let answer = cloud.get_at(&token, path, version).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {version}");
        assert_eq!(answer.header("openstack-api-version"), format!("compute {said}"), "{path} {version}");
        assert_eq!(answer.header("x-openstack-nova-api-version"), said);
        assert!(answer.header("vary").contains("OpenStack-API-Version"));
        assert!(answer.header("x-openstack-request-id").starts_with("req-"));
        assert_eq!(answer.header("x-openstack-request-id"), answer.header("x-compute-request-id"));
        assert!(answer.body.is_object());
    }
    let refused = cloud.get_at(&token, "/compute/v2.1/flavors", "2.999").await;
    let text = refused.body["computeFault"]["message"].as_str().unwrap();
    assert_eq!(text, "Version 2.999 is not supported by the API. Minimum is 2.1 and maximum is 2.100.");
}

#[tokio::test]
async fn flavors_live_and_die() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let (admin, reader) = (cloud.token(&project, Role::Admin).await, cloud.token(&project, Role::Reader).await);
    let answer = cloud.post_at(&admin, "/compute/v2.1/flavors", &flavor("tiny"), "2.61").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!((&answer.body["flavor"]["id"], &answer.body["flavor"]["extra_specs"]), (&json!("tiny"), &json!({})));
    assert_eq!(cloud.post(&admin, "/compute/v2.1/flavors", &flavor("tiny")).await.status, StatusCode::CONFLICT);
    assert_eq!(cloud.post(&reader, "/compute/v2.1/flavors", &flavor("b")).await.status, StatusCode::FORBIDDEN);

    let old = cloud.get_at(&reader, "/compute/v2.1/flavors/tiny", "2.1").await.body["flavor"].clone();
    assert_eq!((&old["swap"], &old["description"], &old["rxtx_factor"]), (&json!(""), &Value::Null, &json!(1.0)));
    assert!(old.get("description").is_none());
    let new = cloud.get_at(&reader, "/compute/v2.1/flavors/tiny", "2.75").await.body["flavor"].clone();
    assert_eq!(new["swap"], 0);
    assert!(new.get("description").is_some());
    assert_eq!(cloud.get(&reader, "/compute/v2.1/flavors/tiny/os-extra_specs").await.body, json!({"extra_specs": {}}));

    assert_eq!(cloud.delete(&admin, "/compute/v2.1/flavors/tiny").await.status, StatusCode::ACCEPTED);
    let gone = cloud.delete(&admin, "/compute/v2.1/flavors/tiny").await;
    assert_eq!((gone.status, &gone.body["itemNotFound"]["code"]), (StatusCode::NOT_FOUND, &json!(404)));
}

#[tokio::test]
async fn private_flavors_do_not_exist_for_others() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let (admin, member) = (cloud.token(&project, Role::Admin).await, cloud.token(&project, Role::Member).await);
    let mut private = flavor("private");
    private["flavor"]["os-flavor-access:is_public"] = json!("False");
    assert_eq!(cloud.post(&admin, "/compute/v2.1/flavors", &private).await.body["flavor"]["os-flavor-access:is_public"], false);
    cloud.post(&admin, "/compute/v2.1/flavors", &flavor("public")).await;
    assert_eq!(cloud.get(&member, "/compute/v2.1/flavors/private").await.status, StatusCode::NOT_FOUND);
    let count = async |token: &str, query: &str| {
        let answer = cloud.get(token, &format!("/compute/v2.1/flavors{query}")).await;
        answer.body["flavors"].as_array().unwrap().len()
    };
    assert_eq!(count(&member, "?is_public=None").await, 1);
    assert_eq!(count(&admin, "").await, 1);
    assert_eq!(count(&admin, "?is_public=none").await, 2);
    assert_eq!(count(&admin, "?is_public=f").await, 1);
}

#[tokio::test]
async fn flavors_are_paged_and_sorted() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let admin = cloud.token(&project, Role::Admin).await;
    for name in ["a", "b", "c"] {
        cloud.post(&admin, "/compute/v2.1/flavors", &flavor(name)).await;
    }
    let mut path = "/compute/v2.1/flavors/detail?limit=2&sort_key=name&sort_dir=desc".to_owned();
    let mut seen = Vec::new();
    loop {
        let body = cloud.get(&admin, &path).await.body;
        seen.extend(body["flavors"].as_array().unwrap().iter().map(|flavor| flavor["name"].as_str().unwrap().to_owned()));
        let Some(next) = body["flavors_links"][0]["href"].as_str() else { break };
        path = next.strip_prefix("http://cloud.test:8774").unwrap().to_owned();
    }
    assert_eq!(seen, ["c", "b", "a"]);
    for bad in ["marker=x", "limit=-1", "minRam=x", "sort_key=x", "sort_dir=x", "is_public=x", "limit=1&limit=2"] {
        assert_eq!(cloud.get(&admin, &format!("/compute/v2.1/flavors?{bad}")).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    assert_eq!(cloud.get_at(&admin, "/compute/v2.1/flavors?unknown=1", "2.74").await.status, StatusCode::OK);
    assert_eq!(cloud.get_at(&admin, "/compute/v2.1/flavors?unknown=1", "2.75").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn servers_are_listed_by_strict_queries() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let (member, admin) = (cloud.token(&project, Role::Member).await, cloud.token(&project, Role::Admin).await);
    assert_eq!(cloud.get(&member, "/compute/v2.1/servers/detail").await.body, json!({"servers": []}));
    for (query, version, status) in [
        ("status=nonsense", "2.1", 200),
        ("status=nonsense", "2.38", 400),
        ("status=deleted", "2.1", 403),
        ("all_tenants=1", "2.1", 403),
        ("all_tenants=x", "2.1", 400),
        ("changes-since=yesterday", "2.1", 400),
        ("changes-since=2020-01-01T00:00:00", "2.1", 200),
        ("marker=x", "2.1", 400),
        ("marker=8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b", "2.1", 400),
        ("limit=-1", "2.1", 400),
        ("limit=0", "2.1", 200),
        ("name=%5B", "2.1", 400),
        ("name=%5Ea.*b%24", "2.1", 200),
        ("name=%00", "2.1", 400),
        ("sort_key=host", "2.1", 403),
        ("sort_key=nonsense", "2.1", 400),
        ("sort_key=display_name&sort_dir=asc", "2.1", 200),
        ("nonsense=1", "2.1", 200),
        ("nonsense=1", "2.75", 400),
        ("image=not-an-id", "2.1", 200),
    ] {
        let answer = cloud.get_at(&member, &format!("/compute/v2.1/servers/detail?{query}"), version).await;
        assert_eq!(answer.status.as_u16(), status, "{query} {version}: {}", answer.body);
    }
    assert_eq!(cloud.get(&admin, "/compute/v2.1/servers?all_tenants=true&host=none").await.body, json!({"servers": []}));
}

#[tokio::test]
async fn unknown_paths_are_404_in_shape() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Admin).await;
    for path in [
        "servers/",
        "flavors/",
        "os-keypairs/",
        "os-keypairs/none",
        "servers/x",
        "servers/8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b",
        "flavors/%00",
        "servers/%ff",
        "images",
    ] {
        let answer = cloud.get(&token, &format!("/compute/v2.1/{path}")).await;
        assert_eq!((answer.status, &answer.body["itemNotFound"]["code"]), (StatusCode::NOT_FOUND, &json!(404)), "{path}");
    }
    let patch = Request::patch("/compute/v2.1/servers").header("x-auth-token", &token).body(Body::empty()).unwrap();
    let answer = cloud.send(patch).await;
    assert_eq!((answer.status, &answer.body["itemNotFound"]["code"]), (StatusCode::NOT_FOUND, &json!(404)));
    assert_eq!(cloud.get(&token, "/nothing").await.status, StatusCode::NOT_FOUND);
}

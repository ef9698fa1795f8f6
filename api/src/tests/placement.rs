//! Aggregates, availability zones and server groups over HTTP.

use axum::http::StatusCode;
use cuttle_model::identity::Role;
use serde_json::{Value, json};

use super::{Cloud, rows};

const AGGREGATES: &str = "/compute/v2.1/os-aggregates";
const GROUPS: &str = "/compute/v2.1/os-server-groups";
const ZONES: &str = "/compute/v2.1/os-availability-zone";

async fn with_host(cloud: &Cloud, name: &str) {
    let host = rows::insert_host(&cloud.shared.database, name).await;
    cloud.shared.database.record_hello(host.id, "boot", &rows::resources(), cloud.shared.now()).await.unwrap();
}

#[tokio::test]
async fn an_aggregate_is_made_changed_and_deleted() {
    let cloud = Cloud::new().await;
    let admin = cloud.token(&cloud.project("p").await, Role::Admin).await;
    with_host(&cloud, "host1").await;
    let post = async |path: &str, body: Value| cloud.post_at(&admin, path, &body, "2.41").await;

    let made = post(AGGREGATES, json!({"aggregate": {"name": "rack1", "availability_zone": "east"}})).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let made = &made.body["aggregate"];
    assert!(made["uuid"].is_string() && made.get("hosts").is_none() && made.get("metadata").is_none(), "{made}");
    let same = post(AGGREGATES, json!({"aggregate": {"name": "rack1"}})).await;
    assert_eq!(same.status, StatusCode::CONFLICT);
    let path = format!("{AGGREGATES}/{}", made["id"]);
    let action = format!("{path}/action");

    let added = post(&action, json!({"add_host": {"host": "host1"}})).await.body["aggregate"].clone();
    assert_eq!((&added["hosts"], &added["metadata"]), (&json!(["host1"]), &json!({"availability_zone": "east"})));
    assert_eq!(post(&action, json!({"add_host": {"host": "host1"}})).await.status, StatusCode::CONFLICT);
    assert_eq!(post(&action, json!({"add_host": {"host": "host9"}})).await.status, StatusCode::NOT_FOUND);
    let other = post(AGGREGATES, json!({"aggregate": {"name": "other", "availability_zone": "west"}})).await.body;
    let elsewhere = format!("{AGGREGATES}/{}/action", other["aggregate"]["id"]);
    let refused = post(&elsewhere, json!({"add_host": {"host": "host1"}})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.body["conflictingRequest"]["message"].as_str().unwrap().contains("host1 is in availability zone east"));

    let set = post(&action, json!({"set_metadata": {"metadata": {"ssd": "true", "availability_zone": null}}})).await;
    assert_eq!(set.body["aggregate"]["metadata"], json!({"ssd": "true"}));
    assert_eq!(set.body["aggregate"]["availability_zone"], Value::Null);
    let renamed = cloud.put_at(&admin, &path, &json!({"aggregate": {"name": "rack2"}}), "2.1").await.body["aggregate"].clone();
    assert_eq!((&renamed["name"], renamed.get("uuid")), (&json!("rack2"), None));
    assert!(renamed["updated_at"].is_string());

    assert_eq!(cloud.delete_at(&admin, &path, "2.1").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(post(&action, json!({"remove_host": {"host": "host1"}})).await.body["aggregate"]["hosts"], json!([]));
    assert_eq!(post(&action, json!({"remove_host": {"host": "host1"}})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(cloud.delete_at(&admin, &path, "2.1").await.status, StatusCode::OK);
    assert_eq!(cloud.get_at(&admin, &path, "2.1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(cloud.get_at(&admin, &format!("{AGGREGATES}/x"), "2.1").await.status, StatusCode::BAD_REQUEST);
    for (body, field) in [
        (json!({"aggregate": {"name": ""}}), "name"),
        (json!({"aggregate": {"name": "a", "availability_zone": "a:b"}}), "availability_zone"),
        (json!({"aggregate": {"name": "a", "hosts": []}}), "hosts"),
    ] {
        let refused = post(AGGREGATES, body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.body["badRequest"]["message"].as_str().unwrap().contains(field), "{}", refused.body);
    }
    assert_eq!(post(&elsewhere, json!({"explode": {}})).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn zones_are_those_of_aggregates_with_hosts_and_the_default() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let admin = cloud.token(&project, Role::Admin).await;
    with_host(&cloud, "host1").await;
    with_host(&cloud, "host2").await;
    let made = cloud.post_at(&admin, AGGREGATES, &json!({"aggregate": {"name": "a", "availability_zone": "east"}}), "2.1").await;
    let names = async || -> Vec<Value> {
        let shown = cloud.get_at(&admin, ZONES, "2.1").await.body["availabilityZoneInfo"].clone();
        shown.as_array().unwrap().iter().map(|zone| zone["zoneName"].clone()).collect()
    };
    assert_eq!(names().await, ["nova"], "east has no hosts yet");
    let action = format!("{AGGREGATES}/{}/action", made.body["aggregate"]["id"]);
    cloud.post_at(&admin, &action, &json!({"add_host": {"host": "host2"}}), "2.1").await;
    assert_eq!(names().await, ["east", "nova"]);
    let detail = cloud.get_at(&admin, &format!("{ZONES}/detail"), "2.1").await.body["availabilityZoneInfo"].clone();
    assert_eq!(detail[0]["hosts"]["host2"]["nova-compute"]["available"], true);
    assert!(detail[0]["hosts"].get("host1").is_none());
    let services = cloud.get_at(&admin, "/compute/v2.1/os-services", "2.1").await.body["services"].clone();
    assert_eq!((&services[0]["zone"], &services[1]["zone"]), (&json!("nova"), &json!("east")));
}

#[tokio::test]
async fn server_groups_have_policies_then_a_policy_with_rules() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Member).await;
    let post =
        async |group: Value, version: &str| cloud.post_at(&token, GROUPS, &json!({ "server_group": group }), version).await;
    let old = post(json!({"name": "g", "policies": ["anti-affinity"]}), "2.1").await;
    assert_eq!(old.status, StatusCode::OK, "{}", old.body);
    let shown = &old.body["server_group"];
    assert_eq!((&shown["policies"], &shown["members"], &shown["metadata"]), (&json!(["anti-affinity"]), &json!([]), &json!({})));
    assert!(shown.get("project_id").is_none());
    let new = post(json!({"name": "g", "policy": "anti-affinity", "rules": {"max_server_per_host": "3"}}), "2.64").await;
    let shown = &new.body["server_group"];
    assert_eq!((&shown["policy"], &shown["rules"]), (&json!("anti-affinity"), &json!({"max_server_per_host": 3})));
    assert!(shown.get("policies").is_none() && shown["project_id"].is_string());
    let path = format!("{GROUPS}/{}", shown["id"].as_str().unwrap());
    assert_eq!(cloud.get_at(&token, &path, "2.13").await.body["server_group"]["policies"], json!(["anti-affinity"]));
    assert_eq!(
        cloud.get_at(&token, &format!("{GROUPS}?limit=1"), "2.64").await.body["server_groups"].as_array().unwrap().len(),
        1
    );

    for (group, version, field) in [
        (json!({"name": "g", "policies": ["soft-affinity"]}), "2.14", "policies"),
        (json!({"name": "g", "policies": []}), "2.1", "policies"),
        (json!({"name": "g", "policies": ["affinity", "anti-affinity"]}), "2.1", "policies"),
        (json!({"name": "g", "policy": "affinity", "rules": {"max_server_per_host": 3}}), "2.64", "rules"),
        (json!({"name": "g", "policy": "anti-affinity", "rules": {"max_server_per_host": 0}}), "2.64", "max_server_per_host"),
        (json!({"name": "g", "policies": ["affinity"]}), "2.64", "polic"),
        (json!({"name": " ", "policy": "affinity"}), "2.64", "name"),
    ] {
        let refused = post(group, version).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
        assert!(refused.body["badRequest"]["message"].as_str().unwrap().contains(field), "{field}: {}", refused.body);
    }

    let stranger = cloud.token(&cloud.project("other").await, Role::Member).await;
    assert_eq!(cloud.get_at(&stranger, &path, "2.64").await.status, StatusCode::NOT_FOUND);
    assert_eq!(cloud.delete_at(&stranger, &path, "2.64").await.status, StatusCode::NOT_FOUND);
    assert_eq!(cloud.get_at(&stranger, &format!("{GROUPS}?all_projects=1"), "2.64").await.body["server_groups"], json!([]));
    assert_eq!(cloud.delete_at(&token, &path, "2.64").await.status, StatusCode::NO_CONTENT);
    assert_eq!(cloud.delete_at(&token, &path, "2.64").await.status, StatusCode::NOT_FOUND);
    for _ in 0..9 {
        assert_eq!(post(json!({"name": "g", "policy": "affinity"}), "2.64").await.status, StatusCode::OK);
    }
    let over = post(json!({"name": "g", "policy": "affinity"}), "2.64").await;
    assert_eq!(over.status, StatusCode::FORBIDDEN, "the quota is ten");
}

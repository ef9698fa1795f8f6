//! Flavors' extra specs, and who may use private ones.

use axum::http::StatusCode;
use cuttle_model::identity::Role;
use serde_json::{Value, json};

use super::{Cloud, flavor};

const PATH: &str = "/compute/v2.1/flavors/f";

#[tokio::test]
async fn extra_specs_are_set_shown_and_taken_away() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let (admin, reader) = (cloud.token(&project, Role::Admin).await, cloud.token(&project, Role::Reader).await);
    cloud.post(&admin, "/compute/v2.1/flavors", &flavor("f")).await;
    let path = format!("{PATH}/os-extra_specs");
    let add = async |specs: Value, version: &str| cloud.post_at(&admin, &path, &json!({ "extra_specs": specs }), version).await;
    let set = async |key: &str, body: Value| cloud.put_at(&admin, &format!("{path}/{key}"), &body, "2.86").await;
    assert_eq!(
        add(json!({"hw:numa_nodes": "1", "own": 5}), "2.86").await.body,
        json!({"extra_specs": {"hw:numa_nodes": "1", "own": "5"}})
    );
    assert_eq!(set("own", json!({"own": "6"})).await.body, json!({"own": "6"}));
    assert_eq!(cloud.get(&reader, &format!("{path}/own")).await.body, json!({"own": "6"}));
    assert_eq!(cloud.get(&reader, &path).await.body, json!({"extra_specs": {"hw:numa_nodes": "1", "own": "6"}}));
    assert_eq!(cloud.get_at(&reader, PATH, "2.61").await.body["flavor"]["extra_specs"]["own"], "6");
    assert_eq!(cloud.delete(&admin, &format!("{path}/own")).await.status, StatusCode::OK);
    assert_eq!(cloud.delete(&admin, &format!("{path}/own")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(cloud.get(&reader, &format!("{path}/own")).await.status, StatusCode::NOT_FOUND);

    assert_eq!(add(json!({"hw:numa_nodez": "1"}), "2.85").await.status, StatusCode::OK, "checked from 2.86");
    for bad in [
        json!({"hw:numa_nodez": "1"}),
        json!({"hw:cpu_policy": "x"}),
        json!({"a/b": "1"}),
        json!({"a": [1]}),
        json!({"a": "x".repeat(256)}),
        json!([]),
    ] {
        assert_eq!(add(bad.clone(), "2.86").await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    for body in [json!({}), json!({"other": "1"}), json!({"own": "1", "b": "2"}), json!({"own": null})] {
        assert_eq!(set("own", body.clone()).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let nowhere =
        cloud.post_at(&admin, "/compute/v2.1/flavors/none/os-extra_specs", &json!({"extra_specs": {"a": "b"}}), "2.1").await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    assert_eq!(cloud.post_at(&reader, &path, &json!({"extra_specs": {}}), "2.1").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_private_flavor_is_seen_by_whom_it_was_opened_to() {
    let cloud = Cloud::new().await;
    let (mine, other) = (cloud.project("mine").await, cloud.project("other").await);
    let admin = cloud.token(&mine, Role::Admin).await;
    let (member, stranger) = (cloud.token(&mine, Role::Member).await, cloud.token(&other, Role::Member).await);
    let mut body = flavor("f");
    body["flavor"]["os-flavor-access:is_public"] = json!(false);
    cloud.post(&admin, "/compute/v2.1/flavors", &body).await;
    let act = async |action: &str, tenant: &str| {
        cloud.post_at(&admin, &format!("{PATH}/action"), &json!({action: {"tenant": tenant}}), "2.7").await
    };
    let count =
        async |token: &str| cloud.get(token, "/compute/v2.1/flavors/detail").await.body["flavors"].as_array().unwrap().len();

    assert_eq!((cloud.get(&member, PATH).await.status, count(&member).await), (StatusCode::NOT_FOUND, 0));
    let added = act("addTenantAccess", &mine.id.to_string()).await;
    assert_eq!(added.body, json!({"flavor_access": [{"flavor_id": "f", "tenant_id": mine.id}]}));
    assert_eq!(act("addTenantAccess", &mine.id.to_string()).await.status, StatusCode::CONFLICT);
    assert_eq!(act("addTenantAccess", "nobody").await.status, StatusCode::BAD_REQUEST);
    assert_eq!((cloud.get(&member, PATH).await.status, count(&member).await), (StatusCode::OK, 1));
    assert_eq!((cloud.get(&stranger, PATH).await.status, count(&stranger).await), (StatusCode::NOT_FOUND, 0));
    assert_eq!(cloud.get(&admin, &format!("{PATH}/os-flavor-access")).await.body, added.body);
    assert_eq!(act("removeTenantAccess", &mine.id.to_string()).await.body, json!({"flavor_access": []}));
    assert_eq!(act("removeTenantAccess", &mine.id.to_string()).await.status, StatusCode::NOT_FOUND);
    assert_eq!(count(&member).await, 0);

    for bad in [
        json!({}),
        json!({"addTenantAccess": {}}),
        json!({"addTenantAccess": {"tenant": 5}}),
        json!({"other": {}}),
        json!({"addTenantAccess": {"tenant": "a"}, "x": 1}),
    ] {
        assert_eq!(cloud.post_at(&admin, &format!("{PATH}/action"), &bad, "2.1").await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    cloud.post(&admin, "/compute/v2.1/flavors", &flavor("open")).await;
    let open = "/compute/v2.1/flavors/open";
    let body = json!({"addTenantAccess": {"tenant": mine.id}});
    assert_eq!(cloud.post_at(&admin, &format!("{open}/action"), &body, "2.7").await.status, StatusCode::CONFLICT);
    assert_eq!(cloud.post_at(&admin, &format!("{open}/action"), &body, "2.6").await.status, StatusCode::OK);
    assert_eq!(cloud.get(&admin, &format!("{open}/os-flavor-access")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_description_changes_from_2_55() {
    let cloud = Cloud::new().await;
    let admin = cloud.token(&cloud.project("p").await, Role::Admin).await;
    cloud.post(&admin, "/compute/v2.1/flavors", &flavor("f")).await;
    let put = async |body: Value, version: &str| cloud.put_at(&admin, PATH, &body, version).await;
    let described = put(json!({"flavor": {"description": "small"}}), "2.55").await;
    assert_eq!((described.status, &described.body["flavor"]["description"]), (StatusCode::OK, &json!("small")));
    assert_eq!(put(json!({"flavor": {"description": null}}), "2.55").await.body["flavor"]["description"], Value::Null);
    assert_eq!(put(json!({"flavor": {"description": "x"}}), "2.54").await.status, StatusCode::NOT_FOUND);
    for bad in
        [json!({"flavor": {}}), json!({"flavor": {"description": "x", "name": "y"}}), json!({"flavor": {"description": 5}})]
    {
        assert_eq!(put(bad.clone(), "2.55").await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

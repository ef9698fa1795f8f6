//! Quotas and limits over HTTP.

use axum::http::StatusCode;
use cuttle_model::identity::Role;
use serde_json::{Value, json};

use super::{Cloud, notes};

#[tokio::test]
async fn limits_say_what_is_used() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let (reader, admin) = (cloud.token(&project, Role::Reader).await, cloud.token(&project, Role::Admin).await);
    notes::store(&cloud, notes::instance(&cloud, &project, "one")).await;
    let limits = cloud.get_at(&reader, "/compute/v2.1/limits", "2.57").await.body["limits"].clone();
    assert_eq!(limits["rate"], json!([]));
    let expected = json!({
        "maxTotalInstances": 10, "maxTotalCores": 20, "maxTotalRAMSize": 51200, "maxTotalKeypairs": 100,
        "maxServerMeta": 128, "maxServerGroups": 10, "maxServerGroupMembers": 10,
        "totalInstancesUsed": 1, "totalCoresUsed": 2, "totalRAMUsed": 64, "totalServerGroupsUsed": 0,
    });
    assert_eq!(limits["absolute"], expected);
    let old = cloud.get(&reader, "/compute/v2.1/limits").await.body["limits"]["absolute"].clone();
    assert_eq!((&old["maxImageMeta"], &old["maxPersonality"], &old["maxSecurityGroups"]), (&json!(128), &json!(5), &json!(-1)));
    let other = cloud.project("q").await;
    let path = format!("/compute/v2.1/limits?tenant_id={}", other.id);
    assert_eq!(cloud.get(&reader, &path).await.status, StatusCode::FORBIDDEN);
    assert_eq!(cloud.get(&admin, &path).await.body["limits"]["absolute"]["totalInstancesUsed"], 0);
    assert_eq!(cloud.get_at(&reader, "/compute/v2.1/limits?x=1", "2.75").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_quota_is_set_shown_and_taken_back() {
    let cloud = Cloud::new().await;
    let (project, other) = (cloud.project("p").await, cloud.project("q").await);
    let (reader, admin) = (cloud.token(&project, Role::Reader).await, cloud.token(&other, Role::Admin).await);
    notes::store(&cloud, notes::instance(&cloud, &project, "one")).await;
    let path = format!("/compute/v2.1/os-quota-sets/{}", project.id);
    let put = async |fields: Value| cloud.put_at(&admin, &path, &json!({ "quota_set": fields }), "2.57").await;

    let shown = cloud.get_at(&reader, &path, "2.57").await.body["quota_set"].clone();
    let expected = json!({
        "id": project.id, "instances": 10, "cores": 20, "ram": 51200, "metadata_items": 128, "key_pairs": 100,
        "server_groups": 10, "server_group_members": 10,
    });
    assert_eq!(shown, expected);
    let old = cloud.get(&reader, &path).await.body["quota_set"].clone();
    assert_eq!((&old["fixed_ips"], &old["injected_files"]), (&json!(-1), &json!(5)));

    let set = put(json!({"instances": "7", "cores": -1})).await.body["quota_set"].clone();
    assert_eq!((&set["instances"], &set["cores"], set.get("id")), (&json!(7), &json!(-1), None));
    let detail = cloud.get_at(&reader, &format!("{path}/detail"), "2.57").await.body["quota_set"].clone();
    assert_eq!(detail["instances"], json!({"limit": 7, "in_use": 1, "reserved": 0}));
    assert_eq!(detail["ram"]["in_use"], 64);
    assert_eq!(cloud.get_at(&reader, &format!("{path}/defaults"), "2.57").await.body["quota_set"]["instances"], 10);

    let low = put(json!({"instances": 0})).await;
    assert_eq!(low.status, StatusCode::BAD_REQUEST);
    let text = "Quota limit 0 for instances must be greater than or equal to already used and reserved 1.";
    assert_eq!(low.body["badRequest"]["message"], text);
    assert_eq!(put(json!({"instances": 0, "force": "True"})).await.body["quota_set"]["instances"], 0);
    for bad in [
        json!({"instances": -2}),
        json!({"instances": "x"}),
        json!({"instances": 3_000_000_000_u64}),
        json!({"surprise": 1}),
        json!({"fixed_ips": 1}),
        json!({"instances": null}),
    ] {
        assert_eq!(put(bad.clone()).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }

    let user = format!("{path}?user_id={}", cloud.user("u", "secret", None).await.id);
    let of_user = cloud.put_at(&admin, &user, &json!({"quota_set": {"cores": 3}}), "2.57").await;
    assert_eq!(of_user.body["quota_set"]["cores"], 3);
    assert_eq!(cloud.get_at(&reader, &user, "2.57").await.body["quota_set"]["cores"], 3);
    assert_eq!(cloud.get_at(&reader, &path, "2.57").await.body["quota_set"]["cores"], -1);
    let much = cloud.put_at(&admin, &user, &json!({"quota_set": {"ram": 60_000}}), "2.57").await;
    assert!(much.body["badRequest"]["message"].as_str().unwrap().ends_with("must be less than or equal to 51200."));

    assert_eq!(cloud.delete(&admin, &path).await.status, StatusCode::ACCEPTED);
    assert_eq!(cloud.get_at(&reader, &path, "2.57").await.body["quota_set"], expected);

    assert_eq!(cloud.put_at(&reader, &path, &json!({"quota_set": {}}), "2.57").await.status, StatusCode::FORBIDDEN);
    let theirs = format!("/compute/v2.1/os-quota-sets/{}", other.id);
    assert_eq!(cloud.get(&reader, &theirs).await.status, StatusCode::FORBIDDEN);
    assert_eq!(cloud.get(&admin, "/compute/v2.1/os-quota-sets/nobody").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_default_class_changes_what_holds_for_all() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let admin = cloud.token(&project, Role::Admin).await;
    let path = "/compute/v2.1/os-quota-class-sets/default";
    let set =
        cloud.put_at(&admin, path, &json!({"quota_class_set": {"instances": 4}}), "2.50").await.body["quota_class_set"].clone();
    assert_eq!((&set["instances"], &set["server_groups"], set.get("fixed_ips")), (&json!(4), &json!(10), None));
    assert_eq!(cloud.get(&admin, path).await.body["quota_class_set"]["id"], "default");
    assert!(cloud.get(&admin, path).await.body["quota_class_set"].get("server_groups").is_none());
    let of_project = format!("/compute/v2.1/os-quota-sets/{}", project.id);
    assert_eq!(cloud.get(&admin, &of_project).await.body["quota_set"]["instances"], 4);
    let other = cloud
        .put_at(&admin, "/compute/v2.1/os-quota-class-sets/gold", &json!({"quota_class_set": {"instances": 4}}), "2.50")
        .await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_keypair_quota_is_a_users_own() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let (admin, member) = (cloud.token(&project, Role::Admin).await, cloud.token(&project, Role::Member).await);
    let quota = json!({"quota_set": {"key_pairs": 1}});
    cloud.put_at(&admin, &format!("/compute/v2.1/os-quota-sets/{}", project.id), &quota, "2.57").await;
    let made = async |name: &str| cloud.post(&member, "/compute/v2.1/os-keypairs", &json!({"keypair": {"name": name}})).await;
    assert_eq!(made("a").await.status, StatusCode::OK);
    let refused = made("b").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.body["forbidden"]["message"], "Quota exceeded, too many key pairs.");
}

//! Keypairs over HTTP: versions, names, users, quota, pages.

use axum::http::StatusCode;
use cuttle_model::identity::Role;
use serde_json::{Value, json};

use super::Cloud;

const PATH: &str = "/compute/v2.1/os-keypairs";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti user@example.com";
const FINGERPRINT: &str = "ae:6f:ba:1b:70:2c:ae:c7:5c:ab:6e:4d:5e:d4:c7:23";

fn import(name: &str) -> Value {
    json!({"keypair": {"name": name, "public_key": KEY}})
}

#[tokio::test]
async fn a_key_is_imported_shown_and_deleted_at_each_version() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Reader).await;
    for (version, created, deleted) in [("2.1", 200, 202), ("2.2", 201, 204), ("2.92", 201, 204)] {
        let answer = cloud.post_at(&token, PATH, &import("a b"), version).await;
        assert_eq!(answer.status.as_u16(), created, "{}", answer.body);
        let keypair = &answer.body["keypair"];
        assert_eq!((&keypair["fingerprint"], &keypair["public_key"]), (&json!(FINGERPRINT), &json!(KEY)));
        assert_eq!(keypair.get("type").is_some(), version != "2.1");
        assert!(keypair.get("private_key").is_none());

        let path = format!("{PATH}/a%20b");
        let shown = cloud.get_at(&token, &path, version).await.body["keypair"].clone();
        assert_eq!((&shown["name"], &shown["deleted"], &shown["user_id"]), (&json!("a b"), &json!(false), &keypair["user_id"]));
        assert!(shown["id"].is_i64() && shown["created_at"].is_string());
        assert_eq!(cloud.get_at(&token, PATH, version).await.body["keypairs"][0]["keypair"]["name"], "a b");
        assert_eq!(cloud.delete_at(&token, &path, version).await.status.as_u16(), deleted);
        let gone = cloud.delete_at(&token, &path, version).await;
        assert_eq!(gone.status, StatusCode::NOT_FOUND);
        assert!(gone.body["itemNotFound"]["message"].as_str().unwrap().starts_with("Keypair a b not found for user "));
    }
}

#[tokio::test]
async fn a_pair_is_made_below_2_92_and_its_private_half_is_kept_nowhere() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Member).await;
    let body = json!({"keypair": {"name": "made"}});
    let made = cloud.post_at(&token, PATH, &body, "2.91").await.body["keypair"].clone();
    let private = made["private_key"].as_str().unwrap();
    assert!(private.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
    assert!(made["public_key"].as_str().unwrap().starts_with("ecdsa-sha2-nistp256 "));
    let shown = cloud.get_at(&token, &format!("{PATH}/made"), "2.91").await.body;
    assert!(shown["keypair"].get("private_key").is_none());
    let secret = private.lines().nth(2).unwrap();
    for entry in std::fs::read_dir(&cloud.directory).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
    let refused = cloud.post_at(&token, PATH, &json!({"keypair": {"name": "other"}}), "2.92").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.body["badRequest"]["message"].as_str().unwrap().contains("public_key"));
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_name() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Member).await;
    let with = |field: &str, value: Value| {
        let mut body = import("a");
        body["keypair"][field] = value;
        body
    };
    for (version, field, value) in [
        ("2.1", "name", json!("a.b")),
        ("2.91", "name", json!("a@b")),
        ("2.92", "name", json!("a/b")),
        ("2.1", "name", json!("")),
        ("2.1", "name", json!("x".repeat(256))),
        ("2.1", "name", json!(" a")),
        ("2.1", "name", json!("a\u{0}")),
        ("2.1", "name", json!(5)),
        ("2.1", "type", json!("ssh")),
        ("2.2", "type", json!("dsa")),
        ("2.9", "user_id", json!("u")),
        ("2.1", "public_key", json!(5)),
        ("2.1", "public_key", json!(null)),
        ("2.1", "surprise", json!(5)),
    ] {
        let answer = cloud.post_at(&token, PATH, &with(field, value.clone()), version).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{version} {field} {value}");
        assert!(answer.body["badRequest"]["message"].as_str().unwrap().contains(field), "{}", answer.body);
    }
    let junk = cloud.post(&token, PATH, &with("public_key", json!("ssh-rsa JUNK"))).await;
    assert_eq!(junk.body["badRequest"]["message"], "Keypair data is invalid: failed to generate fingerprint");
    let x509 = cloud.post_at(&token, PATH, &json!({"keypair": {"name": "a", "type": "x509"}}), "2.2").await;
    assert!(x509.body["badRequest"]["message"].as_str().unwrap().contains("attribute type."));
    assert_eq!(cloud.get(&token, PATH).await.body, json!({"keypairs": []}));

    assert_eq!(cloud.post_at(&token, PATH, &import("a@b.c"), "2.92").await.status, StatusCode::CREATED);
    let twice = cloud.post_at(&token, PATH, &import("a@b.c"), "2.92").await;
    assert_eq!((twice.status, &twice.body["conflictingRequest"]["code"]), (StatusCode::CONFLICT, &json!(409)));
}

#[tokio::test]
async fn only_administrators_see_other_users_keys() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let (member, admin) = (cloud.token(&project, Role::Member).await, cloud.token(&project, Role::Admin).await);
    let user = cloud.post(&member, PATH, &import("mine")).await.body["keypair"]["user_id"].as_str().unwrap().to_owned();
    let other = cloud.post(&admin, PATH, &import("theirs")).await.body["keypair"]["user_id"].as_str().unwrap().to_owned();
    let one = |user: &str| format!("{PATH}/mine?user_id={user}");

    assert_eq!(cloud.get_at(&admin, &one(&user), "2.10").await.status, StatusCode::OK);
    assert_eq!(cloud.get_at(&admin, &one(&user), "2.9").await.status, StatusCode::NOT_FOUND, "the parameter is from 2.10");
    assert_eq!(cloud.get_at(&member, &one(&other), "2.10").await.status, StatusCode::FORBIDDEN);
    assert_eq!(cloud.get_at(&member, &one(&user), "2.10").await.status, StatusCode::OK);
    assert_eq!(cloud.get_at(&admin, &format!("{PATH}?user_id=nobody"), "2.10").await.body, json!({"keypairs": []}));

    let for_other = json!({"keypair": {"name": "given", "public_key": KEY, "user_id": user}});
    assert_eq!(cloud.post_at(&admin, PATH, &for_other, "2.10").await.status, StatusCode::CREATED);
    let listed = cloud.get_at(&member, PATH, "2.10").await.body["keypairs"].as_array().unwrap().len();
    assert_eq!(listed, 2);
    let for_admin = json!({"keypair": {"name": "given", "public_key": KEY, "user_id": other}});
    assert_eq!(cloud.post_at(&member, PATH, &for_admin, "2.10").await.status, StatusCode::FORBIDDEN);
    assert_eq!(cloud.delete_at(&admin, &one(&user), "2.10").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn keys_are_paged_from_2_35() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Member).await;
    for name in ["c", "a", "b"] {
        cloud.post(&token, PATH, &import(name)).await;
    }
    let mut path = format!("{PATH}?limit=2");
    let mut seen = Vec::new();
    loop {
        let body = cloud.get_at(&token, &path, "2.35").await.body;
        let names = body["keypairs"].as_array().unwrap().iter().map(|row| row["keypair"]["name"].as_str().unwrap().to_owned());
        seen.extend(names);
        let Some(next) = body["keypairs_links"][0]["href"].as_str() else { break };
        path = next.strip_prefix("http://cloud.test:8774").unwrap().to_owned();
    }
    assert_eq!(seen, ["a", "b", "c"]);
    assert_eq!(cloud.get_at(&token, &format!("{PATH}?limit=1"), "2.34").await.body["keypairs"].as_array().unwrap().len(), 3);
    for (query, version, status) in [
        ("marker=none", "2.35", 400),
        ("limit=-1", "2.35", 400),
        ("limit=x", "2.35", 400),
        ("limit=0", "2.35", 200),
        ("surprise=1", "2.74", 200),
        ("surprise=1", "2.75", 400),
    ] {
        assert_eq!(cloud.get_at(&token, &format!("{PATH}?{query}"), version).await.status.as_u16(), status, "{query}");
    }
}

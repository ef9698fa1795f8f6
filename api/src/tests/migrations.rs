//! The moves of instances over HTTP.

use axum::http::StatusCode;
use cuttle_database::NewInstance;
use cuttle_model::identity::Role;
use serde_json::{Value, json};

use super::{Cloud, rows};

const MIGRATIONS: &str = "/compute/v2.1/os-migrations";

/// Moves that are under way, from host1 to host2, the oldest first.
async fn moves(cloud: &Cloud, count: usize) -> Vec<String> {
    let database = &cloud.shared.database;
    let mut hosts = Vec::new();
    for name in ["host1", "host2"] {
        hosts.push(rows::insert_host(database, name).await.id);
    }
    let mut moved = Vec::new();
    for _ in 0..count {
        let new = NewInstance { operation: None, ..rows::placed(hosts[0], 100) };
        database.insert_instance(&new).await.unwrap();
        let instance = rows::get(database, &new.instance).await;
        database.begin_operation(&rows::begin_move(&instance, hosts[1], &instance.flavor)).await.unwrap();
        moved.push(instance.id.to_string());
    }
    moved
}

#[tokio::test]
async fn a_migration_says_more_from_version_to_version() {
    let cloud = Cloud::new().await;
    let admin = cloud.token(&cloud.project("p").await, Role::Admin).await;
    let server = moves(&cloud, 1).await.remove(0);
    let shown = async |version: &str| cloud.get_at(&admin, MIGRATIONS, version).await.body["migrations"][0].clone();
    let oldest = shown("2.1").await;
    for (field, value) in [
        ("instance_uuid", json!(server)),
        ("status", json!("migrating")),
        ("source_compute", json!("host1")),
        ("source_node", json!("host1")),
        ("dest_compute", json!("host2")),
        ("dest_host", Value::Null),
    ] {
        assert_eq!(oldest[field], value, "{field}");
    }
    assert!(oldest["id"].is_i64());
    for (field, since) in [("migration_type", "2.23"), ("uuid", "2.59"), ("project_id", "2.80"), ("user_id", "2.80")] {
        assert!(oldest.get(field).is_none() && shown(since).await[field].is_string(), "{field}");
    }
    assert_eq!(shown("2.80").await["migration_type"], "resize");
}

#[tokio::test]
async fn migrations_are_filtered_and_come_by_pages() {
    let cloud = Cloud::new().await;
    let admin = cloud.token(&cloud.project("p").await, Role::Admin).await;
    let servers = moves(&cloud, 3).await;
    let found = async |query: &str| -> Vec<Value> {
        let answer = cloud.get_at(&admin, &format!("{MIGRATIONS}?{query}"), "2.80").await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.body);
        answer.body["migrations"].as_array().unwrap().iter().map(|one| one["instance_uuid"].clone()).collect()
    };
    let newest_first: Vec<Value> = servers.iter().rev().map(|id| json!(id)).collect();
    for query in ["", "host=host2", "source_compute=host1", "status=migrating", "migration_type=resize"] {
        assert_eq!(found(query).await, newest_first, "{query}");
    }
    assert_eq!(found(&format!("instance_uuid={}", servers[1])).await, [json!(servers[1])]);
    for query in
        ["host=host3", "source_compute=host2", "status=done", "migration_type=evacuation", "instance_uuid=x", "user_id=x"]
    {
        assert_eq!(found(query).await, [Value::Null; 0], "{query}");
    }

    let first = cloud.get_at(&admin, &format!("{MIGRATIONS}?limit=2"), "2.59").await.body;
    assert_eq!(first["migrations"].as_array().unwrap().len(), 2);
    let next = first["migrations_links"][0]["href"].as_str().unwrap();
    let next = &next[next.find("/compute").unwrap()..];
    let last = cloud.get_at(&admin, next, "2.59").await.body;
    assert_eq!(last["migrations"][0]["instance_uuid"], json!(servers[0]));
    assert!(last.get("migrations_links").is_none());
}

#[tokio::test]
async fn bad_queries_are_refused_with_their_key() {
    let cloud = Cloud::new().await;
    let admin = cloud.token(&cloud.project("p").await, Role::Admin).await;
    for (query, named) in [
        ("limit=x", "limit"),
        ("marker=x", "marker"),
        ("marker=8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b", "Marker 8c1f0d0e"),
        ("changes-since=yesterday", "changes-since"),
        ("changes-since=2026-01-02&changes-before=2026-01-01", "changes-since"),
        ("colour=red", "colour"),
        ("host=a&host=b", "host"),
    ] {
        let refused = cloud.get_at(&admin, &format!("{MIGRATIONS}?{query}"), "2.80").await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
        let message = refused.body["badRequest"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(named), "{query}: {message}");
    }
    // A key of a later version is passed over before there were strict ones, and refused after.
    assert_eq!(cloud.get_at(&admin, &format!("{MIGRATIONS}?user_id=x"), "2.23").await.status, StatusCode::OK);
    assert_eq!(cloud.get_at(&admin, &format!("{MIGRATIONS}?user_id=x"), "2.66").await.status, StatusCode::BAD_REQUEST);
}

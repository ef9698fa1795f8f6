//! What administrators see and do of hosts: services, hypervisors; and what servers took while they were there.

use std::time::Duration;

use axum::http::StatusCode;
use cuttle_model::clock::Timestamp;
use cuttle_model::host::Host;
use cuttle_model::identity::Role;
use cuttle_model::instance::{Instance, InstanceState};
use serde_json::{Value, json};

use super::{Cloud, notes, rows};

const SERVICES: &str = "/compute/v2.1/os-services";
const HYPERVISORS: &str = "/compute/v2.1/os-hypervisors";

async fn with_host(cloud: &Cloud, name: &str) -> Host {
    let host = rows::insert_host(&cloud.shared.database, name).await;
    cloud.shared.database.record_hello(host.id, "boot", &rows::resources(), cloud.shared.now()).await.unwrap();
    host
}

#[tokio::test]
async fn a_host_is_disabled_and_enabled_at_each_version() {
    let cloud = Cloud::new().await;
    let admin = cloud.token(&cloud.project("p").await, Role::Admin).await;
    let host = with_host(&cloud, "host1").await;
    let by_id = format!("{SERVICES}/{}", host.id);
    let put = async |path: &str, body: Value, version: &str| cloud.put_at(&admin, path, &body, version).await;

    let disabled = put(&by_id, json!({"status": "disabled", "disabled_reason": "a fan"}), "2.53").await.body["service"].clone();
    assert_eq!(
        (&disabled["status"], &disabled["disabled_reason"], &disabled["state"]),
        (&json!("disabled"), &json!("a fan"), &json!("up"))
    );
    assert_eq!(cloud.get_at(&admin, SERVICES, "2.53").await.body["services"][0], disabled);
    assert_eq!(put(&by_id, json!({"status": "enabled"}), "2.53").await.body["service"]["disabled_reason"], Value::Null);
    assert_eq!(put(&by_id, json!({"forced_down": false}), "2.53").await.status, StatusCode::OK);

    let named = json!({"host": "host1", "binary": "nova-compute"});
    let with = |field: &str, value: Value| {
        let mut body = named.clone();
        body[field] = value;
        body
    };
    let old = |action: &str| format!("{SERVICES}/{action}");
    let shown = put(&old("disable"), named.clone(), "2.1").await.body;
    assert_eq!(shown, json!({"service": {"host": "host1", "binary": "nova-compute", "status": "disabled"}}));
    let shown = put(&old("disable-log-reason"), with("disabled_reason", json!("why")), "2.1").await.body;
    assert_eq!(shown["service"]["disabled_reason"], "why");
    assert_eq!(put(&old("enable"), named.clone(), "2.1").await.body["service"]["status"], "enabled");

    for (path, body, version, status) in [
        (by_id.clone(), json!({"status": "off"}), "2.53", 400),
        (by_id.clone(), json!({}), "2.53", 400),
        (by_id.clone(), json!({"status": "enabled", "disabled_reason": "x"}), "2.53", 400),
        (by_id.clone(), json!({"forced_down": true}), "2.53", 400),
        (by_id.clone(), json!({"status": "disabled", "disabled_reason": "x".repeat(256)}), "2.53", 400),
        (format!("{SERVICES}/none"), json!({"status": "enabled"}), "2.53", 404),
        (old("enable"), json!({"host": "host1"}), "2.1", 400),
        (old("enable"), with("host", json!("host9")), "2.1", 404),
        (old("enable"), with("binary", json!("nova-api")), "2.1", 404),
        (old("disable-log-reason"), named.clone(), "2.1", 400),
        (old("force-down"), named.clone(), "2.11", 400),
        (old("burn"), named.clone(), "2.1", 404),
    ] {
        assert_eq!(put(&path, body.clone(), version).await.status.as_u16(), status, "{path} {body}");
    }
}

#[tokio::test]
async fn hypervisors_are_listed_shown_and_summed_up() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let admin = cloud.token(&project, Role::Admin).await;
    let (one, two) = (with_host(&cloud, "host1").await, with_host(&cloud, "host2").await);
    let there = Instance { host_id: Some(one.id), ..notes::instance(&cloud, &project, "there") };
    notes::store(&cloud, there.clone()).await;
    let get = async |rest: &str, version: &str| cloud.get_at(&admin, &format!("{HYPERVISORS}{rest}"), version).await;

    let listed = get("?limit=1", "2.53").await.body;
    assert_eq!((&listed["hypervisors"][0]["id"], listed["hypervisors"].as_array().unwrap().len()), (&json!(one.id), 1));
    let next = listed["hypervisors_links"][0]["href"].as_str().unwrap();
    let next = cloud.get_at(&admin, next.strip_prefix("http://cloud.test:8774").unwrap(), "2.53").await.body;
    assert_eq!((&next["hypervisors"][0]["id"], next.get("hypervisors_links")), (&json!(two.id), None));

    let shown = get(&format!("/{}?with_servers=true", one.id), "2.53").await.body["hypervisor"].clone();
    assert_eq!(shown["servers"][0]["uuid"], json!(there.id));
    assert_eq!(get(&format!("/{}", two.id), "2.88").await.body["hypervisor"]["servers"], json!([]));
    assert_eq!(get("/1", "2.1").await.body["hypervisor"]["hypervisor_hostname"], "host1");
    assert_eq!(get("/1", "2.53").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get("/host/search", "2.52").await.body["hypervisors"].as_array().unwrap().len(), 2);
    assert_eq!(get("/host1/servers", "2.52").await.body["hypervisors"][0]["servers"][0]["uuid"], json!(there.id));
    assert_eq!(get("/host9/search", "2.52").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get("/host/search", "2.53").await.status, StatusCode::NOT_FOUND);
    let sum = get("/statistics", "2.87").await.body["hypervisor_statistics"].clone();
    assert_eq!((&sum["count"], &sum["vcpus"]), (&json!(2), &json!(2 * rows::resources().vcpus)));
    assert_eq!(get("/statistics", "2.88").await.status, StatusCode::NOT_FOUND);
    for (query, version, status) in [
        ("?limit=x", "2.33", 400),
        ("?marker=none", "2.33", 400),
        ("?with_servers=maybe", "2.53", 400),
        ("?hypervisor_hostname_pattern=host1", "2.53", 200),
        ("?hypervisor_hostname_pattern=none", "2.53", 404),
        ("?hypervisor_hostname_pattern=host&limit=1", "2.53", 400),
        ("?surprise=1", "2.52", 200),
        ("?surprise=1", "2.53", 400),
    ] {
        assert_eq!(get(query, version).await.status.as_u16(), status, "{query} {version}");
    }
}

#[tokio::test]
async fn usage_is_the_time_in_the_period() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let (reader, admin) = (cloud.token(&project, Role::Reader).await, cloud.token(&project, Role::Admin).await);
    let noon = Timestamp::parse_iso("2020-01-01T12:00:00").unwrap();
    let hours = |hours: u64| noon.plus(Duration::from_secs(3600 * hours));
    let deleted = Instance {
        launched_at: Some(noon),
        deleted_at: Some(hours(3)),
        state: InstanceState::Deleted,
        ..notes::instance(&cloud, &project, "deleted")
    };
    let running = Instance { launched_at: Some(hours(1)), ..notes::instance(&cloud, &project, "running") };
    let later = Instance { launched_at: Some(hours(9)), ..notes::instance(&cloud, &project, "later") };
    for instance in [deleted, running, later] {
        notes::store(&cloud, instance).await;
    }
    let path = "/compute/v2.1/os-simple-tenant-usage";
    let period = "start=2020-01-01T13:00:00&end=2020-01-01T14:30:00";
    let own = format!("{path}/{}", project.id);
    let usage = cloud.get(&reader, &format!("{own}?{period}")).await.body["tenant_usage"].clone();
    assert_eq!(
        (&usage["total_hours"], &usage["total_vcpus_usage"], &usage["total_memory_mb_usage"]),
        (&json!(3.0), &json!(6.0), &json!(192.0))
    );
    let mut states: Vec<_> =
        usage["server_usages"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["active", "terminated"]);

    let all = cloud.get(&admin, &format!("{path}?{period}")).await.body["tenant_usages"].clone();
    assert_eq!((all.as_array().unwrap().len(), &all[0]["total_hours"], all[0].get("server_usages")), (1, &json!(3.0), None));
    assert!(cloud.get(&admin, &format!("{path}?{period}&detailed=1")).await.body["tenant_usages"][0]["server_usages"].is_array());
    let page = cloud.get_at(&reader, &format!("{own}?{period}&limit=1"), "2.40").await.body;
    assert!(page["tenant_usage_links"][0]["href"].as_str().unwrap().contains("marker="));
    let none = cloud.get(&reader, &format!("{own}?start=2019-01-01T00:00:00&end=2019-01-02T00:00:00")).await;
    assert_eq!(none.body, json!({"tenant_usage": {}}));

    let other = cloud.project("q").await;
    assert_eq!(cloud.get(&reader, &format!("{path}/{}?{period}", other.id)).await.status, StatusCode::FORBIDDEN);
    assert_eq!(cloud.get(&reader, &format!("{path}/")).await.status, StatusCode::NOT_FOUND);
    for bad in ["start=yesterday", "start=2020-01-02T00:00:00&end=2020-01-01T00:00:00"] {
        assert_eq!(cloud.get(&reader, &format!("{own}?{bad}")).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

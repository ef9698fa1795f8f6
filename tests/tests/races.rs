//! Many requests at once for the same thing, on real parts: each room, each quota and each server is
//! given out once, and whoever got none is told why. Run on one thread: the tests fill the hosts.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use cuttle_tests::{Answer, Cloud, Lab, Server, assert_nothing_leaks, eventually};
use futures::future::join_all;
use serde_json::{Value, json};

/// How long many creates together may take.
const LIMIT: Duration = Duration::from_secs(300);
/// Virtual CPUs of one instance in the test of capacity: few fit on a host.
const WIDE: u64 = 4;
/// Virtual CPUs that may be claimed for each real one, as the lab has it.
const CPU_RATIO: u64 = 4;

/// A flavor that nobody else uses; removed by [`remove_flavor`].
async fn make_flavor(cloud: &Cloud, name: &str, vcpus: u64) -> String {
    let flavor = json!({"flavor": {"name": name, "ram": 128, "vcpus": vcpus, "disk": 1}});
    let answer = cloud.post("/compute/v2.1/flavors", &flavor).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["flavor"]["id"].as_str().unwrap().to_owned()
}

async fn remove_flavor(cloud: &Cloud, id: &str) {
    assert_eq!(cloud.delete(&format!("/compute/v2.1/flavors/{id}")).await.status, 202);
}

async fn project(cloud: &Cloud) -> String {
    let answer = cloud.get("/identity/v3/projects?name=admin").await;
    answer.body["projects"][0]["id"].as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
}

async fn set_quota(cloud: &Cloud, quota: Value) {
    let path = format!("/compute/v2.1/os-quota-sets/{}", project(cloud).await);
    let request = cloud.request(reqwest::Method::PUT, &path).json(&json!({ "quota_set": quota }));
    let answer = cloud.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

async fn forget_quotas(cloud: &Cloud) {
    let answer = cloud.delete(&format!("/compute/v2.1/os-quota-sets/{}", project(cloud).await)).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
}

/// Asks for `count` servers with as many requests at once.
async fn create_at_once(cloud: &Cloud, name: &str, flavor: &str, count: usize) -> Vec<Answer> {
    let image = cloud.image("tiny").await;
    let body = json!({"server": {"name": name, "imageRef": image, "flavorRef": flavor}});
    join_all((0..count).map(|_| cloud.post("/compute/v2.1/servers", &body))).await
}

fn servers(answers: &[Answer]) -> Vec<Server> {
    let accepted = answers.iter().filter(|answer| answer.status == 202);
    accepted.map(|answer| Server { id: answer.body["server"]["id"].as_str().unwrap().to_owned() }).collect()
}

/// How each of the servers ended, when none is under way any more.
async fn ends(cloud: &Cloud, servers: &[Server]) -> Vec<Value> {
    join_all(servers.iter().map(|server| async move {
        let what = format!("the end of the create of {}", server.id);
        eventually(&what, LIMIT, || async {
            let shown = cloud.server(server).await;
            (shown["status"] != "BUILD" && shown["OS-EXT-STS:task_state"].is_null()).then_some(shown)
        })
        .await
    }))
    .await
}

/// How many more instances of `vcpus` fit on all hosts.
async fn room(cloud: &Cloud, vcpus: u64) -> u64 {
    let answer = cloud.with_microversion("2.50").get("/compute/v2.1/os-hypervisors/detail").await;
    let hosts = answer.body["hypervisors"].as_array().unwrap_or_else(|| panic!("{}", answer.body)).clone();
    hosts.iter().map(|host| (host["vcpus"].as_u64().unwrap() * CPU_RATIO - host["vcpus_used"].as_u64().unwrap()) / vcpus).sum()
}

#[tokio::test]
async fn of_fifty_creates_at_once_as_many_run_as_there_is_room_for() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let flavor = make_flavor(&cloud, "races-wide", WIDE).await;
    set_quota(&cloud, json!({"instances": -1, "cores": -1, "ram": -1})).await;
    let room = room(&cloud, WIDE).await;
    assert!((1..50).contains(&room), "room for {room}");

    let servers = servers(&create_at_once(&cloud, "races-capacity", &flavor, 50).await);
    assert_eq!(servers.len(), 50, "all are accepted");
    let ended = ends(&cloud, &servers).await;
    let active = ended.iter().filter(|server| server["status"] == "ACTIVE").count();
    assert_eq!(active as u64, room);
    for server in ended.iter().filter(|server| server["status"] != "ACTIVE") {
        let message = server["fault"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("CoreFilter"), "the filter that left no host is named: {server:#}");
    }
    assert_nothing_leaks(&cloud, &lab, cloud.hosts().await).await;

    join_all(servers.iter().map(|server| cloud.delete_server(server))).await;
    assert_eq!(self::room(&cloud, WIDE).await, room, "the claims are gone with the instances");
    assert_nothing_leaks(&cloud, &lab, cloud.hosts().await).await;
    forget_quotas(&cloud).await;
    remove_flavor(&cloud, &flavor).await;
}

#[tokio::test]
async fn a_quota_is_given_out_exactly() {
    let cloud = Cloud::from_env().await;
    // No host is that wide, so nothing boots: an instance in error counts as any other.
    let flavor = make_flavor(&cloud, "races-nowhere", 1000).await;
    set_quota(&cloud, json!({"instances": 5, "cores": -1, "ram": -1})).await;
    let answers = create_at_once(&cloud, "races-quota", &flavor, 20).await;
    let accepted = servers(&answers);
    assert_eq!(accepted.len(), 5);
    for answer in answers.iter().filter(|answer| answer.status != 202) {
        assert_eq!(answer.status, 403, "{}", answer.body);
        let message = answer.body["forbidden"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("instances"), "{message}");
    }
    cloud.delete_server(&accepted[0]).await;
    let again = create_at_once(&cloud, "races-quota", &flavor, 3).await;
    assert_eq!(servers(&again).len(), 1, "what was given back can be had once");
    join_all(accepted[1..].iter().chain(&servers(&again)).map(|server| cloud.delete_server(server))).await;
    forget_quotas(&cloud).await;
    remove_flavor(&cloud, &flavor).await;
}

#[tokio::test]
async fn a_server_is_deleted_once_however_many_ask() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let server = cloud.create_server("races-delete").await;
    cloud.wait_for(&server, "ACTIVE").await;
    let path = format!("/compute/v2.1/servers/{}", server.id);
    for answer in join_all((0..8).map(|_| cloud.delete(&path))).await {
        assert!(answer.status == 204 || answer.status == 404, "{} {}", answer.status, answer.body);
    }
    cloud.wait_until_gone(&server).await;
    assert_eq!(cloud.act(&server, json!({"os-start": null})).await.status, 404, "what is deleted does not start");
    assert_nothing_leaks(&cloud, &lab, cloud.hosts().await).await;
}

#[tokio::test]
async fn of_many_stops_and_starts_at_once_one_wins_and_the_others_are_told() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let server = cloud.create_server("races-power").await;
    cloud.wait_for(&server, "ACTIVE").await;
    let stops = join_all((0..8).map(|_| cloud.act(&server, json!({"os-stop": null})))).await;
    assert!(stops.iter().any(|answer| answer.status == 202));
    for answer in stops.iter().filter(|answer| answer.status != 202) {
        assert_eq!(answer.status, 409, "{}", answer.body);
    }
    cloud.wait_for(&server, "SHUTOFF").await;
    let starts = join_all((0..8).map(|_| cloud.act(&server, json!({"os-start": null})))).await;
    assert!(starts.iter().any(|answer| answer.status == 202));
    for answer in starts.iter().filter(|answer| answer.status != 202) {
        assert_eq!(answer.status, 409, "{}", answer.body);
    }
    cloud.wait_for(&server, "ACTIVE").await;
    assert_nothing_leaks(&cloud, &lab, cloud.hosts().await).await;
    cloud.delete_server(&server).await;
}

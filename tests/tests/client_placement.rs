//! Aggregates, availability zones, server groups and hints with the unmodified `openstack` client, and what
//! `cuttle` says of the choices. One test: it changes what holds for hosts.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::Command;

use cuttle_tests::{Cloud, OpenStack, Server};
use serde_json::Value;

/// What the operator's command says, which was built with the lab.
fn cuttle(arguments: &[&str]) -> String {
    let program = PathBuf::from(std::env::var("CUTTLE_LAB_DIR").expect("CUTTLE_LAB_DIR: start a lab")).join("bin/cuttle");
    let output = Command::new(program).args(arguments).env_remove("OS_CLOUD").env("NO_PROXY", "*").output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cuttle {arguments:?}: {complaint}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Makes a server and waits until it has settled.
async fn server(cloud: &Cloud, openstack: &mut OpenStack, name: &str, wishes: &[&str]) -> (Server, Value) {
    let common = ["server", "create", "--image", "tiny", "--flavor", "tiny", "--nic", "none", name];
    let made = openstack.json(&[&common, wishes].concat());
    let server = Server { id: made["id"].as_str().unwrap().to_owned() };
    // One for which there is no host is in error from the beginning.
    let mut shown = cloud.server(&server).await;
    if shown["status"] != "ERROR" {
        shown = cloud.wait_for(&server, "ACTIVE").await;
    }
    (server, shown)
}

fn host(shown: &Value) -> String {
    shown["OS-EXT-SRV-ATTR:host"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn aggregates_zones_groups_and_hints_decide_where_servers_go() {
    let cloud = Cloud::from_env().await.with_microversion("2.96");
    let mut openstack = OpenStack::new();
    let listed = openstack.json(&["hypervisor", "list"]);
    let hosts: Vec<String> =
        listed.as_array().unwrap().iter().map(|row| row["Hypervisor Hostname"].as_str().unwrap().to_owned()).collect();
    let last = hosts.last().unwrap().as_str();
    let mut servers = Vec::new();

    openstack.run(&["aggregate", "create", "--zone", "placement-east", "placement-a"]);
    openstack.run(&["aggregate", "add", "host", "placement-a", last]);
    openstack.run(&["aggregate", "set", "--property", "placement=yes", "placement-a"]);
    let shown = openstack.json(&["aggregate", "show", "placement-a"]);
    assert_eq!(shown["hosts"], serde_json::json!([last]), "{shown}");
    let zones = openstack.json(&["availability", "zone", "list", "--compute"]);
    assert!(zones.as_array().unwrap().iter().any(|zone| zone["Zone Name"] == "placement-east"), "{zones}");

    let (made, shown) = server(&cloud, &mut openstack, "placement-zone", &["--availability-zone", "placement-east"]).await;
    assert_eq!((host(&shown).as_str(), &shown["OS-EXT-AZ:availability_zone"]), (last, &Value::from("placement-east")));
    servers.push(made);
    let (status, refused) = openstack.try_run(&["aggregate", "remove", "host", "placement-a", last]);
    assert!(status != 0 && refused.contains("409"), "{refused}");
    let create = "server create --image tiny --flavor tiny --nic none --availability-zone no placement-nowhere";
    let (status, nowhere) = openstack.try_run(&create.split(' ').collect::<Vec<_>>());
    assert!(status != 0 && nowhere.contains("availability zone"), "{nowhere}");

    openstack.run(&[
        "--os-compute-api-version",
        "2.64",
        "server",
        "group",
        "create",
        "--policy",
        "anti-affinity",
        "placement-apart",
    ]);
    let group = openstack.json(&["server", "group", "show", "placement-apart"])["id"].as_str().unwrap().to_owned();
    let hint = format!("group={group}");
    let mut used = Vec::new();
    for index in 0..hosts.len() {
        let (made, shown) = server(&cloud, &mut openstack, &format!("placement-apart-{index}"), &["--hint", &hint]).await;
        assert_eq!(shown["status"], "ACTIVE", "{shown}");
        used.push(host(&shown));
        servers.push(made);
    }
    used.sort();
    used.dedup();
    assert_eq!(used.len(), hosts.len(), "each member has a host of its own");
    let (made, shown) = server(&cloud, &mut openstack, "placement-apart-more", &["--hint", &hint]).await;
    assert_eq!(shown["status"], "ERROR");
    let message = shown["fault"]["message"].as_str().unwrap();
    assert!(message.contains("ServerGroupAntiAffinityFilter removed"), "{message}");
    let why = cuttle(&["instance", "why", &made.id]);
    assert!(why.contains("ServerGroupAntiAffinityFilter") && why.contains("chosen: none"), "{why}");
    servers.push(made);

    let near = format!("same_host={}", servers[1].id);
    let (made, shown) = server(&cloud, &mut openstack, "placement-near", &["--hint", &near]).await;
    assert_eq!(host(&shown), host(&cloud.server(&servers[1]).await));
    let why = cuttle(&["instance", "why", &made.id]);
    assert!(why.contains("SameHostFilter") || hosts.len() == 1, "{why}");
    assert!(why.contains(&format!("chosen: {}", host(&shown))) && why.contains("Weigher"), "{why}");
    servers.push(made);

    let tried = cuttle(&["placement", "try", &cloud.flavor("tiny").await, "--zone", "placement-east"]);
    assert!(tried.contains(&format!("chosen: {last}")), "{tried}");

    for server in &servers {
        cloud.delete_server(server).await;
        cloud.wait_until_gone(server).await;
    }
    openstack.run(&["server", "group", "delete", "placement-apart"]);
    openstack.run(&["aggregate", "remove", "host", "placement-a", last]);
    openstack.run(&["aggregate", "delete", "placement-a"]);
}

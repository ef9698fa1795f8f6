//! Draining a host on real parts: everything goes elsewhere, whoever is killed meanwhile; what cannot go is named. Run on
//! one thread: the hosts are everybody's.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use cuttle_tests::{Cloud, Lab, Server, assert_nothing_leaks, eventually};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(180);

async fn drain(cloud: &Cloud, host: &str, how: Value) -> String {
    let answer = cloud.post(&format!("/operator/v1/hosts/{host}/drain"), &how).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    answer.body["operation"]["id"].as_str().unwrap().to_owned()
}

async fn undrain(cloud: &Cloud, host: &str) {
    let answer = cloud.post(&format!("/operator/v1/hosts/{host}/undrain"), &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["host"]["status"], "enabled", "{}", answer.body);
}

/// The operation, once it has ended.
async fn ended(cloud: &Cloud, operation: &str) -> Value {
    eventually(&format!("the end of {operation}"), LIMIT, || async {
        let answer = cloud.get(&format!("/operator/v1/operations/{operation}")).await;
        Some(answer.body["operation"].clone()).filter(|shown| shown["finished_at"].is_string())
    })
    .await
}

async fn stop(cloud: &Cloud, server: &Server) {
    assert_eq!(cloud.act(server, json!({"os-stop": null})).await.status, 202);
    cloud.wait_for(server, "SHUTOFF").await;
}

/// Servers on host1: one that runs, and one that is stopped.
async fn two_servers(cloud: &Cloud, name: &str) -> (Server, Server) {
    let there = |kind: &str| json!({"name": format!("{name}-{kind}"), "availability_zone": "nova:host1"});
    let (running, stopped) = (cloud.create_server_with(there("runs")).await, cloud.create_server_with(there("stopped")).await);
    for server in [&running, &stopped] {
        cloud.wait_for(server, "ACTIVE").await;
    }
    stop(cloud, &stopped).await;
    (running, stopped)
}

#[tokio::test]
async fn everything_goes_elsewhere_as_it_was_and_the_host_stays_closed() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let hosts = cloud.hosts().await;
    let (running, stopped) = two_servers(&cloud, "drained").await;
    let operation = drain(&cloud, "host1", json!({"cold": true, "parallel": 2})).await;
    let again = cloud.post("/operator/v1/hosts/host1/drain", &json!({})).await;
    assert!(again.status == 409 || ended(&cloud, &operation).await["status"] == "succeeded", "{}", again.body);
    let shown = ended(&cloud, &operation).await;
    assert_eq!(shown["status"], "succeeded", "{shown:#}");
    assert_eq!(shown["subject"]["type"], "host");
    for (server, status) in [(&running, "ACTIVE"), (&stopped, "SHUTOFF")] {
        let shown = cloud.wait_for(server, status).await;
        assert_ne!(shown["OS-EXT-SRV-ATTR:host"], "host1", "{shown:#}");
    }
    assert_nothing_leaks(&cloud, &lab, hosts).await;
    let host = cloud.get("/operator/v1/hosts/host1").await.body["host"].clone();
    assert_eq!(host["status"], "disabled", "{host:#}");
    // Nothing comes to it.
    let other = cloud.create_server("beside").await;
    assert_ne!(cloud.wait_for(&other, "ACTIVE").await["OS-EXT-SRV-ATTR:host"], "host1");
    undrain(&cloud, "host1").await;
    for server in [&running, &stopped, &other] {
        cloud.delete_server(server).await;
    }
    assert_nothing_leaks(&cloud, &lab, hosts).await;
}

#[tokio::test]
async fn what_cannot_go_is_named_and_a_drain_outlives_its_control_node() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let hosts = cloud.hosts().await;
    let (running, stopped) = two_servers(&cloud, "blocked").await;
    // A host that nothing else could take in has nowhere to go to.
    for host in 2..=hosts {
        let answer = cloud.post(&format!("/operator/v1/hosts/host{host}/disable"), &json!({"reason": "full"})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let shown = ended(&cloud, &drain(&cloud, "host1", json!({"cold": true})).await).await;
    assert_eq!(shown["status"], "undone", "{shown:#}");
    let why = shown["fault"]["message"].as_str().unwrap();
    assert!(why.contains(&running.id) && why.contains(&stopped.id) && why.contains("No valid host"), "{why}");
    cloud.wait_for(&running, "ACTIVE").await;
    for host in 2..=hosts {
        cloud.post(&format!("/operator/v1/hosts/host{host}/enable"), &json!({})).await;
    }

    let operation = drain(&cloud, "host1", json!({"cold": true, "parallel": 1})).await;
    lab.run(&["control", "kill", "1"]);
    lab.run(&["control", "start", "1"]);
    let shown = ended(&cloud, &operation).await;
    assert_eq!(shown["status"], "succeeded", "{shown:#}");
    for (server, status) in [(&running, "ACTIVE"), (&stopped, "SHUTOFF")] {
        assert_ne!(cloud.wait_for(server, status).await["OS-EXT-SRV-ATTR:host"], "host1");
    }
    undrain(&cloud, "host1").await;
    for server in [&running, &stopped] {
        cloud.delete_server(server).await;
    }
    assert_nothing_leaks(&cloud, &lab, hosts).await;
}

#[tokio::test]
async fn bad_requests_to_drain_are_refused() {
    let cloud = Cloud::from_env().await;
    for (host, body, status, named) in [
        ("nowhere", json!({}), 404, "nowhere"),
        ("host1", json!({"parallel": 0}), 400, "parallel"),
        ("host1", json!({"parallel": 65}), 400, "parallel"),
        ("host1", json!({"cold": "yes"}), 400, "cold"),
        ("host1", json!({"warm": true}), 400, "warm"),
    ] {
        let refused = cloud.post(&format!("/operator/v1/hosts/{host}/drain"), &body).await;
        assert_eq!(refused.status, status, "{}", refused.body);
        assert!(refused.body.to_string().contains(named), "{}", refused.body);
    }
    assert_eq!(cloud.post("/operator/v1/hosts/nowhere/undrain", &json!({})).await.status, 404);
}

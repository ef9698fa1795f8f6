//! Killing things in the middle of a create, on real parts. Run on one thread: the tests share one
//! control node and one set of hosts.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use cuttle_tests::{Cloud, Lab, Server, assert_nothing_leaks, eventually};

/// Moments at which something is killed, in milliseconds after the request was accepted: a create takes
/// about a second, so these fall into different steps.
const MOMENTS_MS: [u64; 4] = [0, 60, 250, 600];

/// How long a create may take to end after everything is back: a lease must run out first.
const LIMIT: Duration = Duration::from_secs(180);

async fn wait_for_the_end(cloud: &Cloud, server: &Server) -> String {
    eventually(&format!("the end of the create of {}", server.id), LIMIT, || async {
        let shown = cloud.server(server).await;
        let status = shown["status"].as_str().unwrap_or_default().to_owned();
        (status != "BUILD" && shown["OS-EXT-STS:task_state"].is_null()).then_some(status)
    })
    .await
}

#[tokio::test]
async fn a_create_ends_though_the_control_node_was_killed_in_the_middle() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    for moment in MOMENTS_MS {
        let server = cloud.create_server(&format!("control-killed-{moment}")).await;
        tokio::time::sleep(Duration::from_millis(moment)).await; // the moment itself is what is tested
        lab.run(&["control", "kill", "1"]);
        lab.run(&["control", "start", "1"]);
        let status = wait_for_the_end(&cloud, &server).await;
        assert_eq!(status, "ACTIVE", "killed after {moment} ms: nothing hinders the create from being finished");
        assert_nothing_leaks(&cloud, &lab, cloud.hosts().await).await;
        cloud.delete_server(&server).await;
        assert_nothing_leaks(&cloud, &lab, cloud.hosts().await).await;
    }
}

#[tokio::test]
async fn a_create_ends_though_the_agents_were_killed_in_the_middle() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let count = cloud.hosts().await;
    for moment in MOMENTS_MS {
        let server = cloud.create_server(&format!("agent-killed-{moment}")).await;
        tokio::time::sleep(Duration::from_millis(moment)).await; // the moment itself is what is tested
        for verb in ["kill", "start"] {
            for host in 1..=count {
                lab.run(&["agent", verb, &host.to_string()]);
            }
        }
        let status = wait_for_the_end(&cloud, &server).await;
        assert_eq!(status, "ACTIVE", "killed after {moment} ms: nothing hinders the create from being finished");
        assert_nothing_leaks(&cloud, &lab, count).await;
        cloud.delete_server(&server).await;
        assert_nothing_leaks(&cloud, &lab, count).await;
    }
}

#[tokio::test]
async fn an_agent_adopts_its_guests_after_its_own_restart() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let server = cloud.create_server("adopted").await;
    let shown = cloud.wait_for(&server, "ACTIVE").await;
    let host = Lab::number(shown["OS-EXT-SRV-ATTR:host"].as_str().expect("an admin sees the host"));
    cloud.wait_for_console(&server, "CUTTLE-GUEST-READY", 1).await;
    let process = lab.virsh(&host, &["dominfo", &server.id]);
    lab.run(&["agent", "kill", &host]);
    lab.run(&["agent", "start", &host]);
    cloud.wait_for_console(&server, "CUTTLE-GUEST-READY", 1).await; // answered by the new agent
    assert_eq!(lab.virsh(&host, &["dominfo", &server.id]).lines().next(), process.lines().next(), "the same domain, undisturbed");
    assert_eq!(cloud.server(&server).await["status"], "ACTIVE");
    cloud.delete_server(&server).await;
}

#[tokio::test]
async fn a_delete_in_the_middle_of_a_create_leaves_nothing() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    for moment in MOMENTS_MS {
        let server = cloud.create_server(&format!("deleted-{moment}")).await;
        tokio::time::sleep(Duration::from_millis(moment)).await; // the moment itself is what is tested
        cloud.delete_server(&server).await;
        assert_nothing_leaks(&cloud, &lab, cloud.hosts().await).await;
    }
}

#[tokio::test]
async fn a_cloud_at_rest_has_nothing_to_reconcile() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let server = cloud.create_server("reconciled").await;
    cloud.wait_for(&server, "ACTIVE").await;
    let answer = cloud.post("/operator/v1/reconcile", &serde_json::json!({"dry_run": true})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let report = &answer.body["reconcile"];
    assert_eq!(report["counts"], serde_json::json!({}), "{report:#}");
    assert_eq!(report["looked_at"]["hosts"].as_u64(), Some(cloud.hosts().await as u64), "{report:#}");
    assert!(report["looked_at"]["guests"].as_u64() >= Some(1) && report["looked_at"]["images"].as_u64() >= Some(2), "{report:#}");

    // A disk of a cloud that nobody knows is named, and left alone.
    lab.rbd(&["create", "--size", "1M", "vms/stray"]);
    lab.rbd(&["image-meta", "set", "vms/stray", "cuttle.instance", "00000000-0000-4000-8000-000000000000"]);
    let answer = cloud.post("/operator/v1/reconcile", &serde_json::json!({"dry_run": false})).await;
    let report = &answer.body["reconcile"];
    assert_eq!(report["counts"], serde_json::json!({"unknown_owner": 1}), "{report:#}");
    assert_eq!(report["findings"][0]["subject"], "stray", "{report:#}");
    assert!(lab.images("vms").contains(&"stray".to_owned()));
    lab.rbd(&["rm", "vms/stray"]);
    cloud.delete_server(&server).await;
    assert_nothing_leaks(&cloud, &lab, cloud.hosts().await).await;
}

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

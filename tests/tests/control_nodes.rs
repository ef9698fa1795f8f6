//! Two control nodes on one database: either may be killed or frozen in the middle of a create, and the other finishes it.
//! Needs a lab with two control nodes and PostgreSQL. Run on one thread.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use cuttle_tests::{Cloud, Lab, assert_nothing_leaks, eventually};

/// Moments at which a node is killed, in milliseconds after it accepted a create.
const MOMENTS_MS: [u64; 3] = [0, 100, 400];

/// A node that was frozen finds out within a few beats of its engine.
const WAKING: Duration = Duration::from_secs(30);

fn signal(lab: &Lab, node: &str, program: &str, signal: &str) {
    lab.run(&["exec", node, "--", "sh", "-c", &format!("kill -{signal} $(pidof {program})")]);
}

/// What a node says when it found out.
const REJOINED: &str = "this control node was fenced; it goes on under another identity";

fn rejoined(lab: &Lab, node: &str) -> usize {
    lab.log(&format!("{node}-api")).matches(REJOINED).count()
}

fn blocklist(lab: &Lab) -> Vec<String> {
    let listed = lab.run(&["exec", "ceph", "--", "ceph", "osd", "blocklist", "ls"]);
    listed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_create_is_finished_by_the_other_node_when_its_own_is_killed() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    for (victim, other) in [(1, 2), (2, 1)] {
        for moment in MOMENTS_MS {
            let server = cloud.at_control_node(victim).create_server(&format!("killed-{victim}-{moment}")).await;
            tokio::time::sleep(Duration::from_millis(moment)).await; // the moment itself is what is tested
            lab.run(&["control", "kill", &victim.to_string()]);
            let other = cloud.at_control_node(other);
            other.wait_for(&server, "ACTIVE").await;
            assert_nothing_leaks(&other, &lab, other.hosts().await).await;
            lab.run(&["control", "start", &victim.to_string()]);
            other.delete_server(&server).await;
            assert_nothing_leaks(&other, &lab, other.hosts().await).await;
        }
    }
}

#[tokio::test]
async fn a_node_that_was_frozen_in_a_step_is_fenced_before_the_other_goes_on_and_comes_back_as_another() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let hosts: Vec<String> = (1..=cloud.hosts().await).map(|number| number.to_string()).collect();
    for (victim, other) in [(1, 2), (2, 1)] {
        let (node, before) = (format!("control{victim}"), blocklist(&lab));
        let told = rejoined(&lab, &node);
        let (victim, other) = (cloud.at_control_node(victim), cloud.at_control_node(other));
        // Agents that do not answer keep the create in one step until its node is frozen.
        hosts.iter().for_each(|host| signal(&lab, host, "cuttle-compute", "STOP"));
        let server = victim.create_server("frozen").await;
        eventually("the step that asks the agent", WAKING, || async {
            (victim.server(&server).await["OS-EXT-STS:task_state"] == "spawning").then_some(())
        })
        .await;
        signal(&lab, &node, "cuttle-api", "STOP");
        hosts.iter().for_each(|host| signal(&lab, host, "cuttle-compute", "CONT"));
        other.wait_for(&server, "ACTIVE").await;
        let fenced: Vec<_> = blocklist(&lab).into_iter().filter(|entry| !before.contains(entry)).collect();
        assert!(!fenced.is_empty(), "the other node went on without a fence");

        signal(&lab, &node, "cuttle-api", "CONT");
        eventually("the node finds out", WAKING, || async { (rejoined(&lab, &node) > told).then_some(()) }).await;
        // It is of use again, over another connection to Ceph: what the old one still had to say was refused.
        let again = victim.create_server("after").await;
        victim.wait_for(&again, "ACTIVE").await;
        assert_nothing_leaks(&other, &lab, hosts.len()).await;
        for server in [&server, &again] {
            victim.delete_server(server).await;
        }
        assert_nothing_leaks(&other, &lab, hosts.len()).await;
    }
}

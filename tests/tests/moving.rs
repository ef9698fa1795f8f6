//! Instances that stand still, move to another host and are given another flavor, on real parts: where the guest runs,
//! what becomes of its disk, and how it all goes back.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use cuttle_tests::{Cloud, Lab, Server};
use serde_json::{Value, json};

const READY: &str = "CUTTLE-GUEST-READY";
const GIB: u64 = 1 << 30;

fn host_of(shown: &Value) -> String {
    Lab::number(shown["OS-EXT-SRV-ATTR:host"].as_str().expect("an admin sees the host"))
}

/// The hosts that have a domain of this server, and its state there.
fn domains(lab: &Lab, hosts: usize, server: &Server) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for host in (1..=hosts).map(|host| host.to_string()) {
        if lab.virsh(&host, &["list", "--all", "--uuid"]).contains(&server.id) {
            let state = lab.virsh(&host, &["domstate", &server.id]);
            found.push((host, state.lines().next().unwrap_or_default().trim().to_owned()));
        }
    }
    found
}

fn disk_info(lab: &Lab, name: &str) -> Value {
    serde_json::from_str(&lab.rbd(&["info", "--format", "json", &format!("vms/{name}")])).unwrap()
}

fn snapshots(lab: &Lab, name: &str) -> Vec<Value> {
    serde_json::from_str(&lab.rbd(&["snap", "ls", "--format", "json", &format!("vms/{name}")])).unwrap()
}

async fn make_flavor(cloud: &Cloud, name: &str, ram: u64, disk: u64) -> String {
    let flavor = json!({"flavor": {"name": name, "ram": ram, "vcpus": 1, "disk": disk}});
    let answer = cloud.post("/compute/v2.1/flavors", &flavor).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["flavor"]["id"].as_str().unwrap().to_owned()
}

async fn asked(cloud: &Cloud, server: &Server, action: Value) -> u16 {
    cloud.act(server, action).await.status.as_u16()
}

#[tokio::test]
async fn a_guest_stands_still_and_goes_on() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let server = cloud.create_server("paused").await;
    let host = host_of(&cloud.wait_for(&server, "ACTIVE").await);
    assert_eq!(asked(&cloud, &server, json!({"unpause": null})).await, 409, "it is not paused");
    assert_eq!(asked(&cloud, &server, json!({"pause": null})).await, 202);
    let shown = cloud.wait_for(&server, "PAUSED").await;
    assert_eq!((&shown["OS-EXT-STS:vm_state"], &shown["OS-EXT-STS:power_state"]), (&json!("paused"), &json!(3)));
    assert_eq!(domains(&lab, cloud.hosts().await, &server), [(host.clone(), "paused".to_owned())]);
    for refused in [json!({"pause": null}), json!({"os-stop": null}), json!({"migrate": null}), json!({"confirmResize": null})] {
        assert_eq!(asked(&cloud, &server, refused.clone()).await, 409, "{refused}");
    }
    assert_eq!(asked(&cloud, &server, json!({"unpause": null})).await, 202);
    cloud.wait_for(&server, "ACTIVE").await;
    assert_eq!(domains(&lab, cloud.hosts().await, &server), [(host, "running".to_owned())]);
    cloud.wait_for_console(&server, READY, 1).await;
    cloud.delete_server(&server).await;
}

#[tokio::test]
async fn an_instance_moves_to_the_host_that_was_asked_for_and_stays_or_goes_back() {
    let (cloud, lab) = (Cloud::from_env().await.with_microversion("2.56"), Lab::from_env());
    let hosts = cloud.hosts().await;
    let server = cloud.create_server("moved").await;
    let first = host_of(&cloud.wait_for(&server, "ACTIVE").await);
    cloud.wait_for_console(&server, READY, 1).await;
    let disk = disk_info(&lab, &format!("{}_disk", server.id))["id"].clone();

    let here = format!("host{first}");
    for (host, why) in [("nowhere", "could not be found"), (here.as_str(), "already")] {
        let answer = cloud.act(&server, json!({"migrate": {"host": host}})).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.body["badRequest"]["message"].as_str().unwrap().contains(why), "{}", answer.body);
    }

    let second = if first == "1" { "2" } else { "1" };
    assert_eq!(asked(&cloud, &server, json!({"migrate": {"host": format!("host{second}")}})).await, 202);
    let shown = cloud.wait_for(&server, "VERIFY_RESIZE").await;
    assert_eq!(host_of(&shown), second);
    assert_eq!(domains(&lab, hosts, &server), [(second.to_owned(), "running".to_owned())]);
    let console = cloud.wait_for_console(&server, READY, 1).await;
    assert!(console.contains("CUTTLE-GUEST-DATA boots=2"), "the same disk: {console}");
    assert_eq!(disk_info(&lab, &format!("{}_disk", server.id))["id"], disk, "nothing was copied");
    assert_eq!(asked(&cloud, &server, json!({"migrate": null})).await, 409);

    assert_eq!(asked(&cloud, &server, json!({"revertResize": null})).await, 202);
    assert_eq!(host_of(&cloud.wait_for(&server, "ACTIVE").await), first);
    assert_eq!(domains(&lab, hosts, &server), [(first.clone(), "running".to_owned())]);
    let console = cloud.wait_for_console(&server, READY, 2).await;
    assert!(console.contains("CUTTLE-GUEST-DATA boots=3"), "what it wrote elsewhere is kept: {console}");
    assert_eq!(asked(&cloud, &server, json!({"revertResize": null})).await, 409, "there is nothing to go back to");

    // One that is stopped moves as well, and stays stopped; a confirmed move is for good.
    assert_eq!(asked(&cloud, &server, json!({"os-stop": null})).await, 202);
    cloud.wait_for(&server, "SHUTOFF").await;
    assert_eq!(asked(&cloud, &server, json!({"migrate": null})).await, 202);
    let shown = cloud.wait_for(&server, "VERIFY_RESIZE").await;
    assert_ne!(host_of(&shown), first);
    assert_eq!(domains(&lab, hosts, &server), []);
    assert_eq!(asked(&cloud, &server, json!({"confirmResize": null})).await, 204);
    let shown = cloud.wait_for(&server, "SHUTOFF").await;
    assert_eq!(asked(&cloud, &server, json!({"os-start": null})).await, 202);
    assert_eq!(host_of(&cloud.wait_for(&server, "ACTIVE").await), host_of(&shown));
    let actions = cloud.get(&format!("/compute/v2.1/servers/{}/os-instance-actions", server.id)).await;
    let actions: Vec<&str> =
        actions.body["instanceActions"].as_array().unwrap().iter().map(|a| a["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["start", "confirmResize", "migrate", "stop", "revertResize", "migrate", "create"]);
    cloud.delete_server(&server).await;
}

#[tokio::test]
async fn a_resize_grows_the_disk_and_going_back_copies_nothing() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let larger = make_flavor(&cloud, "moving-larger", 160, 10).await;
    let smaller = make_flavor(&cloud, "moving-smaller", 160, 0).await;
    let server = cloud.create_server("resized").await;
    cloud.wait_for(&server, "ACTIVE").await;
    cloud.wait_for_console(&server, READY, 1).await;
    let name = format!("{}_disk", server.id);
    let before = disk_info(&lab, &name);

    let same = cloud.flavor("tiny").await;
    for (flavor, why) in [(same, "must change flavor"), (smaller.clone(), "never made smaller"), ("none".to_owned(), "flavorRef")]
    {
        let answer = cloud.act(&server, json!({"resize": {"flavorRef": flavor}})).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.body["badRequest"]["message"].as_str().unwrap().contains(why), "{}", answer.body);
    }

    for end in ["revertResize", "confirmResize"] {
        let answer = cloud.act(&server, json!({"resize": {"flavorRef": larger}})).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        let shown = cloud.wait_for(&server, "VERIFY_RESIZE").await;
        let memory = lab.virsh(&host_of(&shown), &["dominfo", &server.id]);
        assert!(memory.lines().any(|line| line.starts_with("Max memory") && line.contains("163840 KiB")), "{memory}");
        assert_eq!(disk_info(&lab, &name)["size"], json!(10 * GIB));
        assert_eq!(snapshots(&lab, &name).len(), 1, "what it was is kept");
        let answer = cloud.act(&server, json!({ end: null })).await;
        assert!(answer.status.is_success(), "{}", answer.body);
        cloud.wait_for(&server, "ACTIVE").await;
        if end == "revertResize" {
            let now = disk_info(&lab, &name);
            assert_eq!(now["size"], before["size"]);
            assert_eq!(now["parent"]["snapshot"], "before-resize", "a clone of what it was: {now:#}");
            // A clone that nobody copied anything into has what its guest has written since, and no more.
            let used = serde_json::from_str::<Value>(&lab.rbd(&["du", "--format", "json", &format!("vms/{name}")])).unwrap();
            let used = used["images"][0]["used_size"].as_u64().unwrap();
            assert!(used < GIB / 4, "{used} bytes of the disk are its own");
            assert!(!lab.images("vms").iter().any(|image| image.ends_with(".larger")), "the larger one is in the trash");
        }
    }
    assert_eq!(disk_info(&lab, &name)["size"], json!(10 * GIB));
    assert_eq!(snapshots(&lab, &name).len(), 0, "there is no way back any more");
    cloud.delete_server(&server).await;
    for flavor in [larger, smaller] {
        assert_eq!(cloud.delete(&format!("/compute/v2.1/flavors/{flavor}")).await.status, 202);
    }
}

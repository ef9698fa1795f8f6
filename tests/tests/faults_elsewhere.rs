//! A guest that cannot be made on the chosen host is made on another one, on real parts: a host's QEMU is one that only
//! complains. Run on one thread: the hosts are everybody's.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use cuttle_tests::{Cloud, Lab, assert_nothing_leaks};
use serde_json::{Value, json};

const QEMU: &str = "/usr/bin/qemu-system-x86_64";

/// A host on which no guest can be made, until this is dropped.
struct Broken<'l> {
    lab: &'l Lab,
    host: String,
}

impl<'l> Broken<'l> {
    fn new(lab: &'l Lab, host: usize) -> Self {
        let host = host.to_string();
        let script =
            "printf '#!/bin/sh\\necho broken on purpose >&2\\nexit 1\\n' > /run/broken-qemu && chmod +x /run/broken-qemu";
        lab.run(&["exec", &host, "--", "sh", "-c", &format!("{script} && mount --bind /run/broken-qemu {QEMU}")]);
        Self { lab, host }
    }
}

impl Drop for Broken<'_> {
    fn drop(&mut self) {
        self.lab.try_run(&["exec", &self.host, "--", "umount", QEMU]);
    }
}

/// Steps of the create, as clients see them: what each was, and how it came out.
async fn steps(cloud: &Cloud, server: &str) -> Vec<(String, Value)> {
    let actions = format!("/compute/v2.1/servers/{server}/os-instance-actions");
    let request = cloud.get(&actions).await.body["instanceActions"][0]["request_id"].as_str().unwrap().to_owned();
    let events = cloud.get(&format!("{actions}/{request}")).await.body["instanceAction"]["events"].clone();
    let events = events.as_array().unwrap().iter();
    events.map(|event| (event["event"].as_str().unwrap().to_owned(), event["result"].clone())).collect()
}

#[tokio::test]
async fn a_guest_is_made_on_another_host_where_the_first_cannot() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let hosts = cloud.hosts().await;
    assert!(hosts >= 2, "this needs another host");
    let broken: Vec<_> = (1..hosts).map(|host| Broken::new(&lab, host)).collect();
    // Whichever host is thought of first, the guest runs on the one that can make it, within three attempts.
    for round in 0..2 {
        let server = cloud.create_server(&format!("elsewhere-{round}")).await;
        let shown = cloud.wait_for(&server, "ACTIVE").await;
        assert_eq!(shown["OS-EXT-SRV-ATTR:host"], json!(format!("host{hosts}")));
        let made: Vec<_> =
            steps(&cloud, &server.id).await.into_iter().filter(|(step, _)| step == "compute_create_guest").collect();
        assert_eq!(made.last().unwrap().1, "Success", "{made:?}");
        assert!(made.len() <= 3, "{made:?}");
        assert_nothing_leaks(&cloud, &lab, hosts).await;
        cloud.delete_server(&server).await;
    }
    // A host that was asked for is the only one.
    let forced = cloud.create_server_with(json!({"name": "there", "availability_zone": "nova:host1"})).await;
    let shown = cloud.wait_for(&forced, "ERROR").await;
    assert!(shown["fault"]["message"].as_str().unwrap().contains("broken on purpose"), "{}", shown["fault"]);
    drop(broken);
    cloud.delete_server(&forced).await;
    assert_nothing_leaks(&cloud, &lab, hosts).await;
}

#[tokio::test]
async fn where_no_host_can_make_a_guest_the_reason_stays_and_nothing_else() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let hosts = cloud.hosts().await;
    let broken: Vec<_> = (1..=hosts).map(|host| Broken::new(&lab, host)).collect();
    let server = cloud.create_server("nowhere").await;
    let shown = cloud.wait_for(&server, "ERROR").await;
    assert!(shown["fault"]["message"].as_str().unwrap().contains("broken on purpose"), "{}", shown["fault"]);
    assert_eq!(shown["OS-EXT-SRV-ATTR:host"], Value::Null);
    drop(broken);
    assert_nothing_leaks(&cloud, &lab, hosts).await;
    cloud.delete_server(&server).await;
    // The hosts are none the worse for it: a guest that can be made again is.
    let server = cloud.create_server("somewhere").await;
    cloud.wait_for(&server, "ACTIVE").await;
    cloud.delete_server(&server).await;
}

//! Storage that hangs for a while and goes on, on the lab: the step that waits for it says so, on the instance
//! and in the doctor's words, and when it answers again everything goes on. Run on one thread, and alone.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use cuttle_tests::{Cloud, Lab, eventually};
use serde_json::Value;

/// A call to Ceph is given half a minute.
const LIMIT: Duration = Duration::from_secs(120);

/// All OSDs, stopped in the middle of whatever they do. Dropped, they go on.
struct Frozen<'a> {
    lab: &'a Lab,
    count: usize,
}

impl<'a> Frozen<'a> {
    fn new(lab: &'a Lab) -> Self {
        let count = std::env::var("CUTTLE_TEST_OSD_PIDS").unwrap().split_whitespace().count();
        (0..count).for_each(|osd| drop(lab.run(&["ceph", "freeze", &format!("osd.{osd}")])));
        Self { lab, count }
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        (0..self.count).for_each(|osd| drop(self.lab.run(&["ceph", "thaw", &format!("osd.{osd}")])));
    }
}

async fn check(cloud: &Cloud, name: &str) -> Option<Value> {
    let answer = cloud.get("/operator/v1/doctor").await;
    let checks = answer.body["checks"].as_array().unwrap_or_else(|| panic!("{}", answer.body)).clone();
    checks.into_iter().find(|check| check["name"] == name)
}

#[tokio::test]
async fn what_waits_for_storage_says_so_and_goes_on_when_storage_does() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    assert_eq!(check(&cloud, "ceph storage").await.unwrap()["status"], "ok");
    let frozen = Frozen::new(&lab);
    let server = cloud.create_server("slow-storage").await;
    let told = check(&cloud, "ceph storage").await.unwrap();
    assert_eq!(told["status"], "broken", "{told}");
    assert!(told["detail"].as_str().unwrap().contains("no answer from Ceph") && told["advice"].as_str().unwrap().contains("OSD"));

    let path = format!("/operator/v1/instances/{}/events", server.id);
    let step = eventually("the reason at the step", LIMIT, || async {
        let steps = cloud.get(&path).await.body["operations"][0]["steps"].as_array().cloned().unwrap_or_default();
        steps.into_iter().find(|step| step["result"] == "retry")
    })
    .await;
    assert_eq!(step["name"], "make disks");
    assert!(step["message"].as_str().unwrap().contains("no answer from Ceph within"), "{step}");
    let repeated = check(&cloud, "repeated operations").await.unwrap();
    let detail = repeated["detail"].as_str().unwrap();
    assert!(
        repeated["status"] == "warning" && detail.contains("'make disks'") && detail.contains("no answer from Ceph"),
        "{detail}"
    );

    drop(frozen);
    // The attempt that hung and those after it do not get into each other's way.
    cloud.wait_for(&server, "ACTIVE").await;
    cloud.wait_for_console(&server, "CUTTLE-GUEST-READY", 1).await;
    eventually("the doctor is content", LIMIT, || async {
        let storage = check(&cloud, "ceph storage").await.unwrap();
        (storage["status"] == "ok" && check(&cloud, "repeated operations").await.is_none()).then_some(())
    })
    .await;
    cloud.delete_server(&server).await;
    let disks: Vec<String> = lab.images("vms").into_iter().filter(|name| name.starts_with(&server.id)).collect();
    assert!(disks.is_empty(), "{disks:?}");
}

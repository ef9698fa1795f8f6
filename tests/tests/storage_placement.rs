//! Storage decides where instances go, and where they read from, on the lab's three OSDs in three racks with a host
//! beside each. Run on one thread, while nothing else runs. What is in `long` cuts links and stops OSDs.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use cuttle_tests::{Cloud, Lab, eventually};
use serde_json::{Value, json};

/// A change of the map is known after twenty seconds: the manager hears of it late.
const LIMIT: Duration = Duration::from_secs(60);

const OSDS: usize = 3;

/// Where a tiny instance would go now.
async fn try_out(cloud: &Cloud) -> Value {
    let (image, flavor) = (cloud.image("tiny").await, cloud.flavor("tiny").await);
    let answer = cloud.post("/operator/v1/placement/try", &json!({"flavor": flavor, "image_id": image})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["placement"].clone()
}

/// What a weigher measured of each of the best hosts.
fn measured(reasons: &Value, weigher: &str) -> BTreeMap<String, f64> {
    let raw = |host: &Value| {
        let parts = host["parts"].as_array().unwrap();
        parts.iter().find(|part| part["weigher"] == weigher).and_then(|part| part["raw"].as_f64())
    };
    let named = |host: &Value| Some((host["host"].as_str().unwrap().to_owned(), raw(host)?));
    reasons["top"].as_array().unwrap().iter().filter_map(named).collect()
}

/// Primaries on one OSD alone; dropped, on all of them again.
struct Favoured<'a>(&'a Lab);

impl<'a> Favoured<'a> {
    fn one(lab: &'a Lab, osd: usize) -> Self {
        (0..OSDS).for_each(|other| affinity(lab, other, if other == osd { "1" } else { "0" }));
        Self(lab)
    }
}

impl Drop for Favoured<'_> {
    fn drop(&mut self) {
        (0..OSDS).for_each(|osd| affinity(self.0, osd, "1"));
    }
}

fn affinity(lab: &Lab, osd: usize, share: &str) {
    lab.run(&["exec", "ceph", "--", "ceph", "osd", "primary-affinity", &format!("osd.{osd}"), share]);
}

#[tokio::test]
async fn the_host_beside_all_primaries_is_preferred_for_as_long_as_it_is_beside_them() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let even = async || {
        let near = measured(&try_out(&cloud).await["reasons"], "StorageLocalityWeigher");
        let first = near.get("host1").copied()?;
        (near.len() == OSDS && near.values().all(|near| *near == first)).then_some(first)
    };
    eventually("an evenly spread pool is neutral", LIMIT, even).await;
    let favoured = Favoured::one(&lab, 1);
    let placement = eventually("the host beside the primaries is nearest", LIMIT, async || {
        let placement = try_out(&cloud).await;
        let near = measured(&placement["reasons"], "StorageLocalityWeigher");
        (near.get("host2") > near.get("host1") && near.get("host2") > near.get("host3")).then_some(placement)
    })
    .await;
    assert_eq!(placement["host"], "host2", "{placement}");
    drop(favoured);
    eventually("it is neutral again", LIMIT, even).await;
}

/// Bytes that each OSD has sent to those who read.
fn sent(lab: &Lab) -> Vec<u64> {
    let bytes = |osd| {
        let text = lab.run(&["exec", "ceph", "--", "ceph", "tell", &format!("osd.{osd}"), "perf", "dump", "osd"]);
        let dump: Value = serde_json::from_str(&text).unwrap();
        dump["osd"]["op_r_out_bytes"].as_u64().unwrap()
    };
    (0..OSDS).map(bytes).collect()
}

#[tokio::test]
async fn a_guest_reads_its_image_from_the_replica_beside_its_host_and_why_it_is_there_is_kept() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let (image, flavor) = (cloud.image("tiny").await, cloud.flavor("tiny").await);
    // A replica answers for what it knows to be everywhere, and of a placement group's last writes it learns that with
    // the next one: an image that was just imported into a pool where nothing else happens is read from primaries.
    lab.run(&["exec", "ceph", "--", "rados", "--pool", "images", "bench", "1", "write", "-b", "4096", "-t", "4"]);
    for (host, osd) in [("host3", 2), ("host1", 0)] {
        let zone = format!("nova:{host}");
        let before = sent(&lab);
        let server = json!({"name": "near", "imageRef": image, "flavorRef": flavor, "availability_zone": zone});
        let answer = cloud.post("/compute/v2.1/servers", &json!({"server": server})).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        let server = cuttle_tests::Server { id: answer.body["server"]["id"].as_str().unwrap().to_owned() };
        cloud.wait_for(&server, "ACTIVE").await;
        cloud.wait_for_console(&server, "CUTTLE-GUEST-READY", 1).await;
        let read: Vec<u64> = sent(&lab).iter().zip(before).map(|(after, before)| after - before).collect();
        let why = cloud.get(&format!("/operator/v1/instances/{}/placement", server.id)).await.body;
        cloud.delete_server(&server).await;

        let all: u64 = read.iter().sum();
        println!("a guest on {host} had read from the OSDs: {read:?} bytes");
        assert!(all > 4 << 20, "a guest that has booted has read: {read:?}");
        assert!(read[osd] * 10 > all * 8, "{host} reads from osd.{osd}: {read:?}");
        let text = why.to_string();
        assert!(text.contains("StorageLocalityWeigher") && text.contains("StorageHealthWeigher"), "{text}");
    }
}

/// Cuts and stops: some minutes.
mod long {
    use super::*;

    /// What a cut or a stop takes to be seen and to be over, by the limits that the lab leaves as they are, with some
    /// seconds for the beats, and for a machine that has more to do.
    const SEEN: Duration = Duration::from_secs(40);
    const OVER: Duration = Duration::from_secs(90);

    async fn storage(cloud: &Cloud, host: &str) -> Value {
        cloud.get(&format!("/operator/v1/hosts/{host}")).await.body["host"]["storage"].clone()
    }

    /// Kinds of what has happened to a host's path, the newest last.
    async fn events(cloud: &Cloud, host: &str) -> Vec<String> {
        let body = cloud.get(&format!("/operator/v1/hosts/{host}/events")).await.body;
        let events = body["events"].as_array().unwrap_or_else(|| panic!("{body}"));
        let kinds = events.iter().rev().map(|event| event["kind"].as_str().unwrap().to_owned());
        kinds.filter(|kind| kind.starts_with("storage_")).collect()
    }

    async fn all_good(cloud: &Cloud) {
        for host in ["host1", "host2", "host3"] {
            eventually(&format!("{host} reaches storage"), OVER, async || {
                (storage(cloud, host).await["state"] == "good").then_some(())
            })
            .await;
        }
    }

    struct Cut<'a>(&'a Lab);

    impl Drop for Cut<'_> {
        fn drop(&mut self) {
            self.0.run(&["host", "heal", "2"]);
        }
    }

    #[tokio::test]
    async fn a_host_whose_link_to_storage_is_cut_takes_no_instance_until_it_is_healed() {
        let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
        all_good(&cloud).await;
        let removed = async || {
            let reasons = try_out(&cloud).await["reasons"].clone();
            let filters = reasons["filters"].as_array().unwrap().clone();
            let filter = filters.into_iter().find(|filter| filter["filter"] == "StorageHealthFilter").unwrap();
            filter["hosts"].as_u64().unwrap()
        };
        assert_eq!(removed().await, 0);
        let begun = std::time::Instant::now();
        lab.run(&["host", "cut", "2", "--storage"]);
        let cut = Cut(&lab);
        eventually("host2 is out of placement", SEEN, async || (removed().await == 1).then_some(())).await;
        println!("out of placement after {:.1} s", begun.elapsed().as_secs_f64());
        let shown = storage(&cloud, "host2").await;
        assert_eq!(shown["state"], "broken", "{shown}");
        assert!(shown["pools"].as_array().unwrap().iter().any(|pool| pool["unanswered_ms"].as_u64() > Some(5000)), "{shown}");
        assert_eq!(cloud.get("/operator/v1/hosts/host2").await.body["host"]["state"], "up", "its agent is heard of");
        let begun = std::time::Instant::now();
        drop(cut);
        eventually("host2 is back in placement", OVER, async || (removed().await == 0).then_some(())).await;
        println!("back in placement after {:.1} s", begun.elapsed().as_secs_f64());
        assert!(begun.elapsed() >= Duration::from_secs(15), "not before it has proved itself");
        let kinds = events(&cloud, "host2").await;
        assert!(kinds.contains(&"storage_broken".to_owned()), "{kinds:?}");
    }

    /// An OSD that stands still and goes on. Dropped, it goes on.
    struct Stopping<'a>(&'a Lab);

    impl Drop for Stopping<'_> {
        fn drop(&mut self) {
            self.0.run(&["ceph", "thaw", "osd.1"]);
        }
    }

    #[tokio::test]
    async fn an_osd_that_stops_and_goes_moves_no_host_in_and_out() {
        let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
        all_good(&cloud).await;
        let before = events(&cloud, "host1").await.len();
        let stopping = Stopping(&lab);
        for _ in 0..8 {
            for verb in ["freeze", "thaw"] {
                lab.run(&["ceph", verb, "osd.1"]);
                tokio::time::sleep(Duration::from_secs(3)).await; // these seconds are what is tested
            }
        }
        drop(stopping);
        for host in ["host1", "host2", "host3"] {
            let kinds = events(&cloud, host).await;
            println!("{host} after eight stops: {kinds:?}");
            assert_ne!(storage(&cloud, host).await["state"], "broken", "{host}: {kinds:?}");
        }
        let seen = events(&cloud, "host1").await.split_off(before);
        assert!(seen.len() <= 1 && seen.iter().all(|kind| kind == "storage_slow"), "it sinks once: {seen:?}");
        all_good(&cloud).await;
        let seen = events(&cloud, "host1").await.split_off(before);
        assert!(seen.len() <= 2, "and returns once: {seen:?}");
    }
}

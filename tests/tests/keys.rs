//! Hosts' cephx keys and libvirt's secrets on the lab: rotated and healed with guests that run, and the
//! end of a host. Run on one thread: the last host of the lab is removed, and joins anew.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use cuttle_tests::{Cloud, Lab, Server, eventually};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(90);

struct Placed {
    server: Server,
    /// `host1`
    host: String,
    number: String,
}

async fn boot(cloud: &Cloud, name: &str) -> Placed {
    let server = cloud.create_server(name).await;
    let shown = cloud.wait_for(&server, "ACTIVE").await;
    let host = shown["OS-EXT-SRV-ATTR:host"].as_str().unwrap().to_owned();
    Placed { server, number: Lab::number(&host), host }
}

async fn host(cloud: &Cloud, name: &str) -> Value {
    cloud.get(&format!("/operator/v1/hosts/{name}")).await.body["host"].clone()
}

async fn events_of(cloud: &Cloud, host: &str, kind: &str) -> Vec<String> {
    let answer = cloud.get(&format!("/operator/v1/hosts/{host}/events")).await;
    let events = answer.body["events"].as_array().unwrap_or_else(|| panic!("{}", answer.body)).clone();
    events.iter().filter(|event| event["kind"] == kind).map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

/// The Ceph client with which a guest's process was started.
fn client_of(lab: &Lab, placed: &Placed) -> String {
    let xml = lab.virsh(&placed.number, &["dumpxml", &placed.server.id]);
    let user = xml.split("<auth username='").nth(1).and_then(|rest| rest.split('\'').next());
    format!("client.{}", user.unwrap_or_else(|| panic!("{xml}")))
}

/// How often the guest has written, as QEMU counts.
fn writes(lab: &Lab, placed: &Placed) -> u64 {
    let stats = lab.virsh(&placed.number, &["domblkstat", &placed.server.id]);
    let line = stats.lines().find(|line| line.contains("wr_req")).unwrap_or_else(|| panic!("{stats}"));
    line.split_whitespace().last().unwrap().parse().unwrap()
}

/// The guest goes on writing.
async fn writes_on(lab: &Lab, placed: &Placed) {
    let before = writes(lab, placed);
    eventually(&format!("writes of {}", placed.server.id), LIMIT, || async { (writes(lab, placed) > before).then_some(()) })
        .await;
}

fn exists_in_ceph(lab: &Lab, client: &str) -> bool {
    lab.try_run(&["exec", "ceph", "--", "ceph", "auth", "get-key", client]).status.success()
}

fn secrets(lab: &Lab, number: &str) -> Vec<(String, String)> {
    let listed = lab.virsh(number, &["secret-list"]);
    let pairs = listed.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.last()?.to_owned()))
    });
    pairs.filter(|(_, usage)| usage.starts_with("cuttle/")).collect()
}

#[tokio::test]
async fn a_key_is_rotated_under_a_guest_that_writes_and_the_older_one_goes_with_it() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let old = boot(&cloud, "old-key").await;
    let (old_client, name) = (client_of(&lab, &old), old.host.clone());
    assert_eq!(host(&cloud, &name).await["ceph_client"], old_client.as_str());
    writes_on(&lab, &old).await;

    let rotated = cloud.post(&format!("/operator/v1/hosts/{name}/rotate-key"), &json!({})).await;
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    let new_client = rotated.body["ceph_client"].as_str().unwrap().to_owned();
    assert_ne!(new_client, old_client);
    eventually("the new secret on the host", LIMIT, || async {
        secrets(&lab, &old.number).iter().any(|(_, usage)| usage.ends_with(&new_client)).then_some(())
    })
    .await;
    writes_on(&lab, &old).await;
    let shown = host(&cloud, &name).await;
    assert_eq!((&shown["ceph_client"], &shown["older_ceph_clients"]), (&json!(new_client), &json!([old_client])));

    // On the other hosts, so that the next one comes here.
    let hosts = cloud.get("/operator/v1/hosts").await.body["hosts"].as_array().unwrap().clone();
    let others: Vec<&str> = hosts.iter().map(|host| host["name"].as_str().unwrap()).filter(|other| *other != name).collect();
    for other in &others {
        cloud.post(&format!("/operator/v1/hosts/{other}/disable"), &json!({"reason": "a test"})).await;
    }
    let new = boot(&cloud, "new-key").await;
    for other in &others {
        cloud.post(&format!("/operator/v1/hosts/{other}/enable"), &json!({})).await;
    }
    assert_eq!((new.host.as_str(), client_of(&lab, &new)), (name.as_str(), new_client.clone()));
    assert_eq!(client_of(&lab, &old), old_client);
    assert!(exists_in_ceph(&lab, &old_client), "a guest uses it");

    cloud.delete_server(&old.server).await;
    eventually("the end of the older key", LIMIT, || async { (!exists_in_ceph(&lab, &old_client)).then_some(()) }).await;
    eventually("the end of the older secret", LIMIT, || async {
        secrets(&lab, &new.number).iter().all(|(_, usage)| usage.ends_with(&new_client)).then_some(())
    })
    .await;
    writes_on(&lab, &new).await;
    assert_eq!(host(&cloud, &name).await["older_ceph_clients"], json!([]));
    assert!(events_of(&cloud, &name, "key_removed").await.iter().any(|event| event.contains(&old_client)));
    cloud.delete_server(&new.server).await;
}

#[tokio::test]
async fn a_start_works_whatever_became_of_the_secret_and_it_is_told() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let placed = boot(&cloud, "heal").await;
    let secret = secrets(&lab, &placed.number)[0].0.clone();
    let shell = |script: &str| lab.run(&["exec", &placed.number, "--", "sh", "-ec", script]);
    let foreign = format!(
        "virsh -q secret-undefine {secret}; f=$(mktemp); echo \"<secret ephemeral='no' private='no'><uuid>{secret}</uuid>\
         <usage type='ceph'><name>somebody else</name></usage></secret>\" >$f; virsh -q secret-define $f; \
         virsh -q secret-set-value {secret} --file /etc/hostname --plain; rm $f"
    );
    let other = format!("virsh -q secret-set-value {secret} --file /etc/hostname --plain");
    for (damage, told) in
        [(format!("virsh -q secret-undefine {secret}"), "was not there"), (other, "another value"), (foreign, "in its place")]
    {
        let before = events_of(&cloud, &placed.host, "secret_healed").await.len();
        // An agent that looks on mends it before a foreign one can take its place.
        let alone = told == "in its place";
        if alone {
            lab.run(&["agent", "kill", &placed.number]);
        }
        shell(&damage);
        if alone {
            lab.run(&["agent", "start", &placed.number]);
        }
        restart(&cloud, &placed).await;
        eventually(&format!("the event '{told}'"), LIMIT, || async {
            let events = events_of(&cloud, &placed.host, "secret_healed").await;
            // The newest come first.
            events[..events.len() - before].iter().any(|event| event.contains(told)).then_some(())
        })
        .await;
    }
    let before = events_of(&cloud, &placed.host, "secret_healed").await.len();
    // As the agent's own tests do: they may have started the one that runs.
    shell("kill -9 \"$(cat /run/libvirtd.pid)\" && libvirtd -d >/dev/null 2>&1");
    restart(&cloud, &placed).await;
    let events = events_of(&cloud, &placed.host, "secret_healed").await;
    assert!(events[..events.len() - before].iter().any(|event| event.contains("was not there")), "{events:?}");
    cloud.delete_server(&placed.server).await;
}

#[tokio::test]
async fn after_a_hosts_reboot_the_next_start_just_works() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let placed = boot(&cloud, "rebooted-host").await;
    let before = healed(&lab);
    let first = host(&cloud, &placed.host).await["boot_id"].clone();
    lab.run(&["host", "kill", &placed.number]);
    lab.run(&["host", "start", &placed.number]);
    let shown = cloud.wait_for(&placed.server, "SHUTOFF").await;
    assert_eq!(shown["OS-EXT-STS:power_state"], 4, "the plug was pulled: its guest is gone");
    assert_ne!(host(&cloud, &placed.host).await["boot_id"], first);
    // libvirt kept the secret in memory; the agent gave it another.
    let answer = cloud.act(&placed.server, json!({"os-start": null})).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    cloud.wait_for(&placed.server, "ACTIVE").await;
    cloud.wait_for_console(&placed.server, "CUTTLE-GUEST-READY", 1).await;
    writes_on(&lab, &placed).await;
    assert_eq!(secrets(&lab, &placed.number).len(), 1);
    let events = events_of(&cloud, &placed.host, "secret_healed").await;
    assert!(events[0].contains("was not there"), "the newest: {events:?}");
    assert!(healed(&lab) > before, "it is counted");
    let numbers = lab.run(&["exec", "control1", "--", "curl", "-sS", "http://127.0.0.1:9774/metrics"]);
    assert!(numbers.contains(&format!("cuttle_host_guests{{host=\"{}\"}} 1", placed.host)), "{numbers}");
    cloud.delete_server(&placed.server).await;
}

/// How many secrets were healed, as the control node counts.
fn healed(lab: &Lab) -> u64 {
    let text = lab.run(&["exec", "control1", "--", "curl", "-sS", "http://127.0.0.1:9774/metrics"]);
    let line = text.lines().find(|line| line.starts_with("cuttle_host_events_total{kind=\"secret_healed\"}"));
    line.and_then(|line| line.split_whitespace().last()).map_or(0, |number| number.parse().unwrap())
}

/// Stops and starts the guest; the start authenticates with the secret's value.
async fn restart(cloud: &Cloud, placed: &Placed) {
    for (action, status) in [("os-stop", "SHUTOFF"), ("os-start", "ACTIVE")] {
        let answer = cloud.act(&placed.server, json!({ action: null })).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        cloud.wait_for(&placed.server, status).await;
    }
}

#[tokio::test]
async fn a_host_is_removed_when_nothing_is_on_it_and_all_that_it_had_is_void() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let placed = boot(&cloud, "in-the-way").await;
    let (name, client) = (placed.host.clone(), client_of(&lab, &placed));
    let path = format!("/operator/v1/hosts/{name}");
    let refused = cloud.delete(&path).await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    let why = refused.body["error"]["message"].as_str().unwrap();
    assert!(why.contains(&placed.server.id) && why.contains("in-the-way"), "{why}");
    writes_on(&lab, &placed).await;
    cloud.delete_server(&placed.server).await;
    // Other tests' deleted instances may still have a client on record for a moment.
    eventually("the removal", LIMIT, || async { (cloud.delete(&path).await.status == 204).then_some(()) }).await;
    assert_eq!(cloud.get(&path).await.status, 404);
    assert!(!exists_in_ceph(&lab, &client));
    eventually("the agent's end", LIMIT, || async {
        let log = lab.log(&format!("{name}-agent"));
        log.contains("certificate is not honoured").then_some(())
    })
    .await;
    eventually("the secrets' end", LIMIT, || async { secrets(&lab, &placed.number).is_empty().then_some(()) }).await;

    let added = cloud.post("/operator/v1/hosts", &json!({ "name": name })).await;
    assert_eq!(added.status, 201, "{}", added.body);
    let token = added.body["join_token"].as_str().unwrap();
    lab.feed(&["exec", &placed.number, "--", "sh", "-c", "umask 077; cat >/etc/cuttle/token"], token);
    lab.run(&["agent", "kill", &placed.number]);
    lab.run(&["agent", "start", &placed.number]);
    eventually("the host's return", LIMIT, || async { (host(&cloud, &name).await["state"] == "up").then_some(()) }).await;
    let again = host(&cloud, &name).await["ceph_client"].as_str().unwrap().to_owned();
    assert_ne!(again, client, "an identity is never used again");
}

//! Hosts' certificates that run out soon, on the lab: renewed again and again with work under way, and what
//! becomes of a host that was off for too long. Run on one thread: the last host of the lab joins anew.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use cuttle_model::clock::{Clock, SystemClock, Timestamp};
use cuttle_tests::{Cloud, Lab, eventually};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(120);
const API: &str = "/etc/cuttle/api.toml";

/// The control node gives certificates that last for seconds. Dropped, it gives usual ones again.
struct ShortLived<'a>(&'a Lab);

impl<'a> ShortLived<'a> {
    fn new(lab: &'a Lab) -> Self {
        let add = format!("sed -i '/^\\[agents\\]/a certificate_lifetime_seconds = 20' {API}");
        lab.run(&["exec", "control1", "--", "sh", "-ec", &add]);
        restart(lab);
        Self(lab)
    }
}

impl Drop for ShortLived<'_> {
    fn drop(&mut self) {
        let remove = format!("sed -i '/^certificate_lifetime_seconds/d' {API}");
        self.0.run(&["exec", "control1", "--", "sh", "-ec", &remove]);
        restart(self.0);
    }
}

fn restart(lab: &Lab) {
    lab.run(&["control", "stop", "1"]);
    lab.run(&["control", "start", "1"]);
}

/// Gives the host a token with which it joins anew, and starts its agent.
async fn rejoin(cloud: &Cloud, lab: &Lab, name: &str) {
    let number = Lab::number(name);
    let answer = cloud.post(&format!("/operator/v1/hosts/{name}/rejoin"), &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    lab.try_run(&["agent", "kill", &number]);
    let token = answer.body["join_token"].as_str().unwrap();
    lab.feed(&["exec", &number, "--", "sh", "-c", "umask 077; cat >/etc/cuttle/token"], token);
    lab.run(&["agent", "start", &number]);
}

async fn host(cloud: &Cloud, name: &str) -> Value {
    cloud.get(&format!("/operator/v1/hosts/{name}")).await.body["host"].clone()
}

async fn expiry(cloud: &Cloud, name: &str) -> Timestamp {
    let host = host(cloud, name).await;
    Timestamp::parse_iso(host["certificate_expires_at"].as_str().unwrap_or_else(|| panic!("{host}"))).unwrap()
}

async fn renewals(cloud: &Cloud, name: &str) -> usize {
    let answer = cloud.get(&format!("/operator/v1/hosts/{name}/events")).await;
    answer.body["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "certificate_renewed").count()
}

#[tokio::test]
async fn certificates_are_renewed_under_work_and_a_host_that_was_off_for_too_long_says_what_it_needs() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let name = format!("host{}", cloud.hosts().await);
    let number = Lab::number(&name);
    let others: Vec<String> = (1..cloud.hosts().await).map(|other| format!("host{other}")).collect();
    let administer = async |verb: &str| {
        for other in &others {
            let body = json!({"reason": "a test"});
            let body = if verb == "disable" { body } else { json!({}) };
            assert_eq!(cloud.post(&format!("/operator/v1/hosts/{other}/{verb}"), &body).await.status, 200);
        }
    };
    let short = ShortLived::new(&lab);
    rejoin(&cloud, &lab, &name).await;
    let before = renewals(&cloud, &name).await;
    administer("disable").await;
    // Creates, reboots and deletes go on over connections that are replaced meanwhile.
    let mut done = 0;
    while renewals(&cloud, &name).await < before + 3 {
        let server = cloud.create_server(&format!("renewed-{done}")).await;
        cloud.wait_for(&server, "ACTIVE").await;
        assert_eq!(cloud.act(&server, json!({"reboot": {"type": "HARD"}})).await.status, 202);
        cloud.wait_for(&server, "ACTIVE").await;
        cloud.delete_server(&server).await;
        done += 1;
        assert!(done < 100, "no certificate is renewed");
    }
    administer("enable").await;

    lab.run(&["agent", "kill", &number]);
    eventually("the end of the certificate", LIMIT, || async { (SystemClock.now() > expiry(&cloud, &name).await).then_some(()) })
        .await;
    let seen = lab.log(&format!("{name}-agent")).len();
    lab.try_run(&["agent", "start", &number]);
    eventually("what it needs", LIMIT, || async {
        let said = lab.log(&format!("{name}-agent"));
        said[seen..].contains(&format!("cuttle host rejoin {name}")).then_some(())
    })
    .await;

    drop(short);
    rejoin(&cloud, &lab, &name).await;
    eventually("the host's return", LIMIT, || async { (host(&cloud, &name).await["state"] == "up").then_some(()) }).await;
    let left = expiry(&cloud, &name).await.since(SystemClock.now());
    assert!(left > Duration::from_secs(80 * 86_400), "{left:?}");
}

//! Joining, on the lab: tokens that are stolen, certificates that are void. Run on one thread.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use cuttle_tests::{Cloud, Lab, eventually};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

/// An agent of a host that exists for this test alone, run inside host1 with a libvirt that is not there:
/// it joins all the same.
struct Ghost<'a> {
    lab: &'a Lab,
    directory: String,
}

impl<'a> Ghost<'a> {
    fn new(lab: &'a Lab, host: &str, name: &str) -> Self {
        let directory = format!("/run/join-{host}-{name}");
        let configured = lab.run(&["exec", "1", "--", "grep", "^control = ", "/etc/cuttle/compute.toml"]);
        let config = format!(
            "host = '{host}'\n{configured}token_file = '{directory}/token'\nstate_dir = '{directory}/state'\n\
             libvirt_uri = 'qemu+unix:///system?socket=/nowhere'\nvirt_type = 'qemu'\n"
        );
        lab.feed(&["exec", "1", "--", "sh", "-c", &format!("mkdir -p {directory} && cat > {directory}/compute.toml")], &config);
        Self { lab, directory }
    }

    fn give(&self, token: &str) {
        let put = format!("umask 077; cat > {}/token", self.directory);
        self.lab.feed(&["exec", "1", "--", "sh", "-c", &put], token);
    }

    /// Runs it until it has joined or ended, and answers what it said.
    fn run(&self) -> String {
        // It goes on by itself once it has joined, so it is ended then.
        let script = "agent=$1; directory=$2; \"$agent\" --config \"$directory/compute.toml\" >\"$directory/log\" 2>&1 & pid=$!; \
            for _ in $(seq 200); do grep -q 'the host has joined\\|goes on with the certificate' \"$directory/log\" && break; \
            kill -0 $pid 2>/dev/null || break; sleep 0.05; done; kill $pid 2>/dev/null; wait $pid; cat \"$directory/log\"";
        self.lab.run(&["exec", "1", "--", "sh", "-c", script, "sh", &self.lab.binary("cuttle-compute"), &self.directory])
    }

    fn has(&self, file: &str) -> bool {
        self.lab.try_run(&["exec", "1", "--", "test", "-e", &format!("{}/{file}", self.directory)]).status.success()
    }
}

impl Drop for Ghost<'_> {
    fn drop(&mut self) {
        let _ = self.lab.try_run(&["exec", "1", "--", "rm", "-rf", &self.directory]);
    }
}

async fn token_for(cloud: &Cloud, host: &str) -> String {
    let answer = cloud.post("/operator/v1/hosts", &json!({ "name": host })).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body["join_token"].as_str().unwrap().to_owned()
}

async fn events(cloud: &Cloud, host: &str) -> Vec<Value> {
    let answer = cloud.get(&format!("/operator/v1/hosts/{host}/events")).await;
    answer.body["events"].as_array().unwrap_or_else(|| panic!("{}", answer.body)).clone()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_stolen_token_works_once_and_the_second_use_is_seen() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let token = token_for(&cloud, "stolen").await;
    let ghosts = [Ghost::new(&lab, "stolen", "a"), Ghost::new(&lab, "stolen", "b")];
    ghosts.iter().for_each(|ghost| ghost.give(&token));
    let said = std::thread::scope(|scope| {
        let running: Vec<_> = ghosts.iter().map(|ghost| scope.spawn(|| ghost.run())).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let joined: Vec<bool> = said.iter().map(|said| said.contains("the host has joined")).collect();
    assert_eq!(joined.iter().filter(|joined| **joined).count(), 1, "{said:#?}");
    let loser = said.iter().zip(&joined).find(|(_, joined)| !**joined).unwrap().0;
    assert!(loser.contains("joining was refused") && loser.contains("has been used"), "{loser}");
    for (ghost, joined) in ghosts.iter().zip(joined) {
        assert_eq!((ghost.has("state/identity.json"), ghost.has("token")), (joined, !joined));
    }
    for said in &said {
        assert!(!said.contains(token.split('.').nth(1).unwrap()), "the token is in the log");
    }
    let seen = events(&cloud, "stolen").await;
    assert_eq!(kinds(&seen), ["join_refused", "joined", "token_issued"]);
    assert!(seen[0]["message"].as_str().unwrap().contains("10.77."), "{}", seen[0]);
    let log = lab.log("control1-api");
    assert!(log.lines().any(|line| line.contains("WARN") && line.contains("joining was refused") && line.contains("stolen")));
}

#[tokio::test]
async fn joining_anew_locks_the_older_key_out() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let (first, second) = (Ghost::new(&lab, "twice", "first"), Ghost::new(&lab, "twice", "second"));
    first.give(&token_for(&cloud, "twice").await);
    assert!(first.run().contains("the host has joined"));
    let stat = lab.run(&["exec", "1", "--", "stat", "-c", "%a", "/run/join-twice-first/state/identity.json"]);
    assert_eq!(stat.trim(), "600");

    let again = cloud.post("/operator/v1/hosts", &json!({"name": "twice"})).await;
    assert_eq!(again.status, 409, "{}", again.body);
    let rejoin = cloud.post("/operator/v1/hosts/twice/rejoin", &json!({})).await;
    assert_eq!(speak(&lab, "first"), 400, "honoured until the token is used: only the message is wrong");
    second.give(rejoin.body["join_token"].as_str().unwrap());
    assert!(second.run().contains("the host has joined"));
    assert_eq!((speak(&lab, "first"), speak(&lab, "second")), (403, 400));
}

#[tokio::test]
async fn without_a_certificate_nothing_but_joining_is_answered() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let ghost = Ghost::new(&lab, "nobody", "x");
    let said = ghost.run();
    assert!(said.contains("has not joined") && said.contains("cuttle host add nobody"), "{said}");
    // Without bodies: a refusal need not wait for one, and curl takes it ill if it could not send its own.
    for path in ["hello", "beat", "reports", "guests", "certificate", "commands"] {
        let method = if path == "commands" { "GET" } else { "POST" };
        assert_eq!(curl(&lab, &["-k", "-X", method], path), 403, "{path}");
    }
    assert_eq!(curl(&lab, &["-k", "-d", "{}"], "join"), 400);
    // A certificate of another authority does not even get through TLS.
    let forge = "cd /run && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=host1 \
        -keyout forged.key -out forged.pem 2>/dev/null";
    lab.run(&["exec", "1", "--", "sh", "-c", forge]);
    assert_eq!(curl(&lab, &["-k", "--cert", "/run/forged.pem", "--key", "/run/forged.key", "-X", "POST"], "hello"), 0);
    lab.run(&["exec", "1", "--", "rm", "/run/forged.key", "/run/forged.pem"]);

    let token = token_for(&cloud, "late").await;
    let mut wrong = token.clone();
    wrong.replace_range(8..12, if &token[8..12] == "0000" { "1111" } else { "0000" });
    let ghost = Ghost::new(&lab, "late", "x");
    ghost.give(&wrong);
    let said = ghost.run();
    assert!(said.contains("Nobody made this token"), "{said}");
    let other = Ghost::new(&lab, "other", "x");
    other.give(&token);
    let said = other.run();
    assert!(said.contains("was not made for host other"), "{said}");
    eventually("the refusal as an event", LIMIT, || async {
        kinds(&events(&cloud, "late").await).contains(&"join_refused").then_some(())
    })
    .await;
}

/// Says an empty hello with a ghost's certificate, and answers the status.
fn speak(lab: &Lab, name: &str) -> u16 {
    let split = format!(
        "import json; i = json.load(open('/run/join-twice-{name}/state/identity.json')); \
         open('/run/{name}.pem', 'w').write(i['certificate']); \
         import os; f = os.open('/run/{name}.key', os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600); \
         os.write(f, i['private_key'].encode()); open('/run/{name}.ca', 'w').write(i['authority'])"
    );
    lab.run(&["exec", "1", "--", "python3", "-c", &split]);
    let (certificate, key, authority) = (format!("/run/{name}.pem"), format!("/run/{name}.key"), format!("/run/{name}.ca"));
    let arguments = ["--cacert", &authority, "--cert", &certificate, "--key", &key, "-X", "POST"];
    let status = curl(lab, &arguments, "hello");
    lab.run(&["exec", "1", "--", "rm", &certificate, &key, &authority]);
    status
}

/// The status of a request inside host1; 0 if there was no answer.
fn curl(lab: &Lab, arguments: &[&str], path: &str) -> u16 {
    let control = lab.run(&["exec", "1", "--", "grep", "^control = ", "/etc/cuttle/compute.toml"]);
    let url = format!("{}/agent/v1/{path}", control.split('"').nth(1).unwrap());
    let all = [
        "exec",
        "1",
        "--",
        "curl",
        "-sS",
        "-m",
        "20",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "-H",
        "content-type: application/json",
    ];
    let output = lab.try_run(&[&all, arguments, &[&url]].concat());
    // Shown if the test fails.
    eprintln!("{path}: {} {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0)
}

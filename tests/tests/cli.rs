//! `cuttle`, the operator's command, as an operator types it, on a real cloud.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use cuttle_tests::{Cloud, Lab};
use serde_json::{Value, json};

/// The program that the lab was built with.
fn cuttle(arguments: &[&str]) -> Command {
    let program = PathBuf::from(std::env::var("CUTTLE_LAB_DIR").expect("CUTTLE_LAB_DIR: start a lab")).join("bin/cuttle");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).env_remove("OS_CLOUD").env("NO_PROXY", "*");
    command
}

/// Runs it; answers the exit code and what it printed and complained.
fn run(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("cuttle can be started: cargo build -p cuttle-cli");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn text(arguments: &[&str]) -> String {
    let (code, out, complaint) = run(cuttle(arguments));
    assert_eq!(code, 0, "cuttle {arguments:?}: {out}{complaint}");
    out
}

fn value(arguments: &[&str]) -> Value {
    let text = text(&[arguments, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("cuttle {arguments:?}: {error}\n{text}"))
}

/// Hosts and instances in one test: a host that is disabled takes no instance.
#[tokio::test]
async fn an_operator_sees_hosts_instances_and_operations_as_they_go_on() {
    let cloud = Cloud::from_env().await;
    let hosts = value(&["host", "list"]);
    assert_eq!(hosts.as_array().unwrap().len(), cloud.hosts().await);
    let name = hosts[0]["name"].as_str().unwrap();
    assert_eq!((&hosts[0]["state"], &hosts[0]["status"]), (&json!("up"), &json!("enabled")));
    let disabled = value(&["host", "disable", name, "--reason", "a test"]);
    assert_eq!((&disabled["status"], &disabled["disabled_reason"]), (&json!("disabled"), &json!("a test")));
    assert!(text(&["host", "show", name]).contains("disabled (a test)"));
    assert_eq!(value(&["host", "enable", name])["status"], "enabled");

    let mut watch = cuttle(&["operation", "watch", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut remarks = BufReader::new(watch.stderr.take().unwrap()).lines();
    assert!(remarks.next().expect("a remark").unwrap().contains("watching"));
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let server = cloud.create_server("cli-one").await;
    // Each line is the whole operation; the last one shows its end.
    let ended = loop {
        let line: Value = serde_json::from_str(&lines.next().expect("a line").unwrap()).unwrap();
        if line["subject"]["id"] == server.id.as_str() && line["status"] != "running" {
            break line;
        }
    };
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert_eq!((&ended["status"], &ended["kind"]), (&json!("succeeded"), &json!("create_instance")), "{ended:#}");
    let steps = ended["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["result"] == "done" && !step["finished_at"].is_null()), "{ended:#}");

    let operation = ended["id"].as_str().unwrap();
    let shown = text(&["operation", "watch", operation]);
    assert!(shown.contains("succeeded after"), "{shown}");
    assert_eq!(value(&["operation", "show", operation])["steps"], ended["steps"]);
    let listed = value(&["operation", "list", "--instance", &server.id]);
    assert_eq!(listed[0]["id"], ended["id"]);
    let timeline = text(&["instance", "events", "cli-one"]);
    for step in steps {
        assert!(timeline.contains(step["name"].as_str().unwrap()), "{timeline}");
    }
    let instance = value(&["instance", "show", "cli-one"]);
    assert_eq!((&instance["id"], &instance["state"]), (&json!(server.id), &json!("active")));
    assert_eq!(instance["clients"][0]["host"], instance["host"], "its guest's client is on record: {instance:#}");
    assert!(text(&["instance", "list", "--state", "active"]).contains("cli-one"));

    let (code, _, complaint) = run(cuttle(&["operation", "cancel", operation]));
    assert_eq!(code, 5, "{complaint}");
    assert!(complaint.contains("succeeded") && complaint.contains("(request req-"), "{complaint}");
    cloud.delete_server(&server).await;
}

#[tokio::test]
async fn what_fails_has_its_exit_code_and_says_why() {
    type Case = (&'static [&'static str], &'static [(&'static str, &'static str)], i32, &'static str);
    let cases: [Case; 7] = [
        (&["host", "show", "nowhere"], &[], 4, "nowhere"),
        (&["instance", "show", "no-such-instance"], &[], 4, "no-such-instance"),
        (&["operation", "list", "--status", "great"], &[], 5, "status"),
        (&["host", "list"], &[("OS_PASSWORD", "wrong-hunter2")], 3, "authentication"),
        (&["host", "list"], &[("OS_PASSWORD", "")], 2, "OS_PASSWORD"),
        (&["host", "list"], &[("OS_AUTH_URL", "http://127.0.0.1:9/identity/v3")], 6, "cannot be reached"),
        (&["host", "list"], &[("OS_CLOUD", "elsewhere")], 2, "elsewhere"),
    ];
    for (arguments, variables, expected, why) in cases {
        let mut command = cuttle(arguments);
        command.envs(variables.iter().copied());
        let (code, out, complaint) = run(command);
        assert_eq!(code, expected, "{arguments:?} {variables:?}: {out}{complaint}");
        assert!(complaint.contains(why), "{arguments:?}: {complaint}");
        assert!(out.is_empty() && !complaint.contains("hunter2"), "{out}{complaint}");
    }
    assert_eq!(run(cuttle(&["host", "liszt"])).0, 2);
    for shell in ["bash", "zsh", "fish"] {
        assert!(text(&["completions", shell]).contains("cuttle"), "{shell}");
    }
}

#[tokio::test]
async fn the_doctor_looks_at_everything() {
    let report = value(&["doctor"]);
    let checks = report["checks"].as_array().unwrap();
    let find = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}: {report:#}"));
    for name in
        ["database", "control nodes", "ceph", "ceph pool vms", "ceph rights", "certificate ca.pem", "host host1", "operations"]
    {
        let check = find(name);
        assert_ne!(check["status"], "broken", "{check:#}");
        assert!(check["milliseconds"].as_f64().unwrap() > 0.0);
        assert_eq!(check["status"] == "ok", check["advice"].is_null(), "{check:#}");
    }
    assert!(text(&["doctor"]).starts_with("STATUS"));

    // The same on the control node, beside the API that serves there.
    let lab = Lab::from_env();
    let program = std::env::current_exe().unwrap().parent().unwrap().with_file_name("cuttle-api");
    let told = lab.run(&["exec", "control1", "--", &program.to_string_lossy(), "doctor", "--json"]);
    let report: Value = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"));
    let names: Vec<&str> = report["checks"].as_array().unwrap().iter().filter_map(|check| check["name"].as_str()).collect();
    for name in ["configuration", "port for clients", "port for agents", "database", "ceph"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
}

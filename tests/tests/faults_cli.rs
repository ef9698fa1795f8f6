//! A watch of operations goes on when its control node is stopped and started again.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use cuttle_tests::{Cloud, Lab};
use serde_json::Value;

#[tokio::test]
async fn a_watch_outlives_the_control_node() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let program = PathBuf::from(std::env::var("CUTTLE_LAB_DIR").unwrap()).join("bin/cuttle");
    let mut watch = Command::new(program);
    watch.args(["operation", "watch", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).env("NO_PROXY", "*");
    let mut watch = watch.spawn().expect("cuttle can be started");
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut until_ended = |id: &str| loop {
        let line: Value = serde_json::from_str(&lines.next().expect("a line").unwrap()).unwrap();
        if line["subject"]["id"] == id && !line["finished_at"].is_null() {
            return line["status"].as_str().unwrap().to_owned();
        }
    };
    let mut remarks = BufReader::new(watch.stderr.take().unwrap()).lines();
    assert!(remarks.next().expect("a remark").unwrap().contains("watching"));
    let first = cloud.create_server("watched-one").await;
    assert_eq!(until_ended(&first.id), "succeeded");
    lab.run(&["control", "stop", "1"]);
    // It says so, and tries again by itself.
    assert!(remarks.next().expect("a remark").unwrap().contains("trying again"));
    lab.run(&["control", "start", "1"]);
    let second = cloud.create_server("watched-two").await;
    assert_eq!(until_ended(&second.id), "succeeded");
    watch.kill().unwrap();
    watch.wait().unwrap();
    cloud.delete_server(&first).await;
    cloud.delete_server(&second).await;
}

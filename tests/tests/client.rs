//! The unmodified `openstack` client, as an operator types it, from a token to the end of a server.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use cuttle_tests::{Cloud, Lab};
use serde_json::Value;

/// Where `./check` has installed the client, or the one on the path.
fn openstack(arguments: &[&str]) -> String {
    let program = std::env::var("CUTTLE_OPENSTACK").unwrap_or_else(|_| "openstack".to_owned());
    let output = Command::new(&program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "openstack {arguments:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn json(arguments: &[&str]) -> Value {
    let text = openstack(&[arguments, &["-f", "json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("openstack {arguments:?}: {error}\n{text}"))
}

/// The guest's disk image, as the lab has built it.
fn tiny_image() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/guest/tiny.raw");
    assert!(path.exists(), "{} is not there: ./lab up builds it", path.display());
    path.to_string_lossy().into_owned()
}

#[tokio::test]
async fn the_openstack_client_does_a_servers_whole_life() {
    let cloud = Cloud::from_env().await;
    assert!(json(&["token", "issue"])["id"].as_str().is_some_and(|id| !id.is_empty()));

    let image =
        json(&["image", "create", "client-image", "--disk-format", "raw", "--container-format", "bare", "--file", &tiny_image()]);
    let image = image["id"].as_str().expect("an image id").to_owned();
    assert_eq!(json(&["image", "show", &image])["status"], "active");
    let listed = json(&["image", "list"]);
    assert!(listed.as_array().expect("images").iter().any(|row| row["ID"] == image.as_str()), "{listed}");

    let flavor = json(&["flavor", "create", "client-flavor", "--ram", "128", "--vcpus", "1", "--disk", "1"]);
    assert_eq!(flavor["ram"], 128);
    assert_eq!(json(&["flavor", "show", "client-flavor"])["disk"], 1);

    let server = json(&["server", "create", "--wait", "--image", "client-image", "--flavor", "client-flavor", "client-server"]);
    assert_eq!(server["status"], "ACTIVE", "{server:#}");
    let id = server["id"].as_str().expect("a server id").to_owned();
    let listed = json(&["server", "list"]);
    let row = listed.as_array().expect("servers").iter().find(|row| row["ID"] == id.as_str()).expect("the server is listed");
    assert_eq!((&row["Name"], &row["Status"]), (&Value::from("client-server"), &Value::from("ACTIVE")));
    assert_eq!(json(&["server", "show", "client-server"])["id"], id.as_str());

    let server = cuttle_tests::Server { id: id.clone() };
    cloud.wait_for_console(&server, "CUTTLE-GUEST-READY", 1).await;
    assert!(openstack(&["console", "log", "show", "client-server"]).contains("CUTTLE-GUEST-READY"));

    openstack(&["server", "stop", "client-server"]);
    cloud.wait_for(&server, "SHUTOFF").await;
    openstack(&["server", "start", "client-server"]);
    cloud.wait_for(&server, "ACTIVE").await;

    openstack(&["server", "delete", "--wait", "client-server"]);
    assert_eq!(cloud.get(&format!("/compute/v2.1/servers/{id}")).await.status, 404);
    openstack(&["image", "delete", "client-image"]);
    openstack(&["flavor", "delete", "client-flavor"]);
    assert!(!Lab::from_env().images("images").contains(&image), "the image went to the trash");
}

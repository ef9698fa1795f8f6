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

/// What administrators and users do besides: keys, quotas, notes, locks. One server.
#[tokio::test]
async fn the_openstack_client_manages_what_is_around_a_server() {
    let cloud = Cloud::from_env().await;
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti user@example.com\n";
    let file = std::env::temp_dir().join(format!("cuttle-client-key-{}", std::process::id()));
    std::fs::write(&file, key).unwrap();
    let imported = json(&["keypair", "create", "client-key", "--public-key", &file.to_string_lossy()]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(imported["fingerprint"], "ae:6f:ba:1b:70:2c:ae:c7:5c:ab:6e:4d:5e:d4:c7:23");
    assert_eq!(openstack(&["keypair", "show", "client-key", "--public-key"]).trim(), key.trim());

    openstack(&[
        "flavor",
        "create",
        "client-notes",
        "--ram",
        "64",
        "--vcpus",
        "1",
        "--disk",
        "1",
        "--private",
        "--property",
        "own=1",
    ]);
    let project = json(&["token", "issue"])["project_id"].as_str().expect("a project").to_owned();
    openstack(&["flavor", "set", "client-notes", "--project", &project, "--description", "noted"]);
    let flavor = json(&["flavor", "show", "client-notes"]);
    assert_eq!((&flavor["properties"]["own"], &flavor["description"]), (&Value::from("1"), &Value::from("noted")));
    openstack(&["flavor", "unset", "client-notes", "--property", "own"]);

    let before = json(&["quota", "show", "--compute", &project]);
    let instances = before.as_array().and_then(|rows| rows.iter().find(|row| row["Resource"] == "instances")).cloned();
    let limit = instances.and_then(|row| row["Limit"].as_i64()).expect("a limit");
    openstack(&["quota", "set", "--instances", "77", &project]);
    openstack(&["quota", "set", "--instances", &limit.to_string(), &project]);
    assert!(json(&["limits", "show", "--absolute"]).as_array().is_some_and(|rows| !rows.is_empty()));

    let image = cloud.image("tiny").await;
    let server = json(&[
        "server",
        "create",
        "--image",
        &image,
        "--flavor",
        "client-notes",
        "--key-name",
        "client-key",
        "--property",
        "a=1",
        "client-notes",
    ]);
    let id = server["id"].as_str().expect("a server id").to_owned();
    cloud.wait_for(&cuttle_tests::Server { id: id.clone() }, "ACTIVE").await;
    openstack(&["server", "set", "client-notes", "--property", "b=2", "--tag", "blue", "--description", "noted"]);
    openstack(&["server", "unset", "client-notes", "--property", "a"]);
    let shown = json(&["server", "show", &id]);
    assert_eq!((&shown["properties"], &shown["key_name"]), (&serde_json::json!({"b": "2"}), &Value::from("client-key")));
    assert_eq!(json(&["server", "list", "--tags", "blue"])[0]["ID"], id.as_str());
    openstack(&["server", "lock", "--reason", "careful", &id]);
    openstack(&["server", "unlock", &id]);
    let events = json(&["server", "event", "list", &id]);
    let actions: Vec<&str> = events.as_array().expect("events").iter().filter_map(|row| row["Action"].as_str()).collect();
    assert_eq!(actions, ["unlock", "lock", "create"]);

    openstack(&["server", "delete", "--wait", &id]);
    openstack(&["keypair", "delete", "client-key"]);
    openstack(&["flavor", "delete", "client-notes"]);
}

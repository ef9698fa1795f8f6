//! The unmodified `openstack` client with images: a qcow2 from its upload to its end.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use cuttle_tests::Lab;
use serde_json::{Value, json};

fn run(program: &str, arguments: &[&str]) -> std::process::Output {
    Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// Where `./check` has installed the client, or the one on the path.
fn client() -> String {
    std::env::var("CUTTLE_OPENSTACK").unwrap_or_else(|_| "openstack".to_owned())
}

fn openstack(arguments: &[&str]) -> String {
    let output = run(&client(), arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "openstack {arguments:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn refused(arguments: &[&str]) -> String {
    let output = run(&client(), arguments);
    assert!(!output.status.success(), "openstack {arguments:?} was done");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn shown(arguments: &[&str]) -> Value {
    let text = openstack(&[arguments, &["-f", "json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("openstack {arguments:?}: {error}\n{text}"))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_openstack_client_does_an_images_whole_life() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, qcow2, saved) = (folder.path().join("raw"), folder.path().join("qcow2"), folder.path().join("saved"));
    let disk: Vec<u8> =
        (0..6_000_000_u32).flat_map(|index| if index < 3_000_000 { index.to_le_bytes() } else { [0; 4] }).collect();
    std::fs::write(&raw, &disk[..disk.len() / 512 * 512]).unwrap();
    let zstd = ["convert", "-c", "-f", "raw", "-O", "qcow2", "-o", "compression_type=zstd", path(&raw), path(&qcow2)];
    assert!(run("qemu-img", &zstd).status.success());

    let create = ["image", "create", "--disk-format", "qcow2", "--container-format", "bare", "--file", path(&qcow2)];
    let image =
        shown(&[&create[..], &["--min-disk", "1", "--property", "os_distro=debian", "--tag", "one", "cli-qcow2"]].concat());
    let id = image["id"].as_str().unwrap().to_owned();
    let image = shown(&["image", "show", "cli-qcow2"]);
    assert_eq!((&image["status"], &image["disk_format"]), (&json!("active"), &json!("qcow2")), "{image:#}");
    assert_eq!(image["size"], json!(std::fs::metadata(&qcow2).unwrap().len()));
    assert_eq!((&image["min_disk"], &image["tags"]), (&json!(1), &json!(["one"])));
    assert_eq!(image["properties"]["os_distro"], "debian");

    openstack(&["image", "save", "--file", path(&saved), "cli-qcow2"]);
    assert!(std::fs::read(&saved).unwrap() == std::fs::read(&raw).unwrap(), "what is downloaded is the disk");

    openstack(&["image", "set", "--name", "cli-renamed", "--tag", "two", "--property", "k=v", "--min-ram", "7", "--hidden", &id]);
    let image = shown(&["image", "show", &id]);
    assert_eq!((&image["name"], &image["min_ram"], &image["tags"]), (&json!("cli-renamed"), &json!(7), &json!(["one", "two"])));
    assert_eq!((&image["properties"]["k"], &image["properties"]["os_hidden"]), (&json!("v"), &json!(true)), "{image:#}");
    let names = |filter: &[&str]| {
        let list = shown(&[&["image", "list", "--sort", "name:asc"], filter].concat());
        let rows = list.as_array().unwrap().clone();
        rows.into_iter().filter(|row| row["ID"] == id.as_str()).count()
    };
    assert_eq!((names(&[]), names(&["--hidden"])), (0, 1));
    openstack(&["image", "set", "--unhidden", "--community", &id]);
    assert_eq!((names(&["--community"]), names(&["--property", "k=v"]), names(&["--property", "k=x"])), (1, 1, 0));
    assert_eq!((names(&["--tag", "two"]), names(&["--status", "active"]), names(&["--name", "cli-renamed"])), (1, 1, 1));
    openstack(&["image", "unset", "--tag", "one", "--property", "k", &id]);
    let image = shown(&["image", "show", &id]);
    assert_eq!((&image["tags"], &image["properties"]["k"]), (&json!(["two"]), &Value::Null));

    openstack(&["image", "set", "--protected", &id]);
    assert!(refused(&["image", "delete", &id]).contains("protected"));
    openstack(&["image", "set", "--unprotected", "--deactivate", &id]);
    assert_eq!(shown(&["image", "show", &id])["status"], "deactivated");
    openstack(&["image", "set", "--activate", &id]);
    openstack(&["image", "delete", &id]);
    assert!(refused(&["image", "show", &id]).contains("No Image found"));
    let left: Vec<String> = Lab::from_env().images("images").into_iter().filter(|name| name.starts_with(&id)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_file_that_is_not_what_was_said_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let qcow2 = folder.path().join("qcow2");
    assert!(run("qemu-img", &["create", "-f", "qcow2", path(&qcow2), "8M"]).status.success());
    let said = refused(&["image", "create", "--disk-format", "raw", "--file", path(&qcow2), "cli-wrong"]);
    assert!(said.contains("its content is qcow2, not raw"), "{said}");
    let backed = folder.path().join("backed");
    assert!(
        run("qemu-img", &["create", "-f", "qcow2", "-u", "-b", "/etc/passwd", "-F", "raw", path(&backed), "8M"]).status.success()
    );
    let said = refused(&["image", "create", "--disk-format", "qcow2", "--file", path(&backed), "cli-backed"]);
    assert!(said.contains("backing file"), "{said}");
    let listed = shown(&["image", "list"]);
    let active = |name: &str| listed.as_array().unwrap().iter().any(|row| row["Status"] == "active" && row["Name"] == name);
    assert!(!active("cli-wrong") && !active("cli-backed"), "{listed}");
}

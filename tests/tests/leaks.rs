//! After everything else has run: no key, token or password is in any log, any list of processes, or any
//! file that is not meant to hold it and closed to others.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cuttle_tests::{Cloud, Lab};

/// Files of this size hold disks.
const DISK_BYTES: u64 = 256 << 20;

/// What is secret, by what it is called.
type Secrets = BTreeMap<String, Vec<u8>>;

/// Those of the whole run: of Ceph, of the deployment, of hosts and of this test.
async fn secrets(lab: &Lab) -> Secrets {
    let mut secrets = Secrets::new();
    let users = lab.run(&["exec", "ceph", "--", "ceph", "auth", "ls", "--format", "json"]);
    let users: serde_json::Value = serde_json::from_str(&users).unwrap();
    for user in users["auth_dump"].as_array().unwrap() {
        secrets.insert(format!("key of {}", user["entity"]), user["key"].as_str().unwrap().as_bytes().to_vec());
    }
    for file in fs::read_dir(lab.directory().join("secrets")).unwrap() {
        let file = file.unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        secrets.insert(format!("secrets/{}", file.file_name().display()), text.trim().as_bytes().to_vec());
    }
    let mut keys = vec![lab.directory().join("shared/tls/ca.key"), lab.directory().join("shared/tls/server.key")];
    keys.extend(nodes(lab).map(|node| node.join("kept/var-lib-cuttle-compute/identity.json")).filter(|path| path.exists()));
    for path in keys {
        let text = fs::read_to_string(&path).unwrap().replace("\\n", "\n");
        let key = text.split("PRIVATE KEY-----").nth(1).unwrap_or_else(|| panic!("no key in {}", path.display()));
        let line = key.lines().find(|line| line.len() > 40).unwrap();
        secrets.insert(format!("private key in {}", path.display()), line.as_bytes().to_vec());
    }
    let token = Cloud::from_env().await.token().unwrap().to_owned();
    secrets.insert("a token of the API".to_owned(), token.into_bytes());
    assert!(secrets.values().all(|secret| secret.len() >= 16), "too short to be looked for: {:?}", secrets.keys());
    assert!(secrets.len() >= 8, "{:?}", secrets.keys());
    secrets
}

fn nodes(lab: &Lab) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(lab.directory().join("nodes")).unwrap().map(|node| node.unwrap().path())
}

/// What of the secrets is in these bytes. Tokens to join with are known by their form alone: nobody keeps one.
fn found_in(bytes: &[u8], secrets: &Secrets) -> Vec<String> {
    let mut found: Vec<String> =
        secrets.iter().filter(|(_, secret)| contains(bytes, secret)).map(|(name, _)| name.clone()).collect();
    if contains(bytes, b"cuttle1.") && has_join_token(bytes) {
        found.push("a token to join with".to_owned());
    }
    found
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let first = wanted[0];
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        if rest[at..].starts_with(wanted) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

fn has_join_token(bytes: &[u8]) -> bool {
    let starts = bytes.windows(8).enumerate().filter(|(_, window)| *window == b"cuttle1.").map(|(at, _)| at + 8);
    starts.into_iter().any(|at| bytes.get(at..at + 64).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
}

/// Each file below a directory, links not followed.
fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files(&entry.path(), found);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
}

/// What is made to hold a secret. Paths are below the lab's directory.
fn is_meant(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    path.starts_with("secrets/")
        || path == "openrc"
        // Ceph's own: keyrings, and the monitors' and OSDs' stores.
        || path.starts_with("ceph/")
        || path.ends_with(".keyring")
        || name == "identity.json"
        || name == "joining.json"
        || (path.starts_with("nodes/") && (name == "admin-password" || name == "database-password"))
        || (path.starts_with("shared/tls/") && name.ends_with(".key"))
}

/// Whether nobody but its owner reaches it: by its own mode, or by that of a directory above it.
fn is_closed(path: &Path, top: &Path) -> bool {
    let closed = |path: &Path, bits: u32| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & bits == 0);
    closed(path, 0o077) || path.ancestors().skip(1).take_while(|above| *above != top).any(|above| closed(above, 0o011))
}

#[tokio::test]
async fn no_secret_is_where_it_is_not_meant_to_be() {
    let lab = Lab::from_env();
    let secrets = secrets(&lab).await;
    let top = lab.directory();
    let (mut all, mut problems, mut held) = (Vec::new(), Vec::new(), 0);
    files(&top, &mut all);
    for path in &all {
        let Ok(about) = fs::metadata(path) else { continue };
        if about.size() > DISK_BYTES {
            assert!(about.blocks() > 0 || about.size() > 0);
            continue;
        }
        let Ok(bytes) = fs::read(path) else { continue };
        let found = found_in(&bytes, &secrets);
        let name = path.strip_prefix(&top).unwrap().to_string_lossy().into_owned();
        match (found.is_empty(), is_meant(&name)) {
            (true, _) => {}
            (false, false) => problems.push(format!("{name} holds {}", found.join(", "))),
            (false, true) if !is_closed(path, &top) => problems.push(format!("others may read {name}: {}", found.join(", "))),
            (false, true) => held += 1,
        }
    }
    assert!(all.iter().any(|path| path.ends_with("log/control1-api.log")), "the logs were not among the files");
    assert!(held >= 6, "the secrets were not found even where they are meant to be: {held}");
    assert!(problems.is_empty(), "{problems:#?}");
}

#[tokio::test]
async fn no_secret_is_in_a_list_of_processes() {
    let lab = Lab::from_env();
    let secrets = secrets(&lab).await;
    let (mut seen, mut problems) = (0, Vec::new());
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(arguments) = fs::read(process.path().join("cmdline")) else { continue };
        seen += usize::from(contains(&arguments, b"cuttle-compute") || contains(&arguments, b"cuttle-api"));
        for found in found_in(&arguments, &secrets) {
            problems.push(format!("{}: {found}", String::from_utf8_lossy(&arguments[..arguments.len().min(80)])));
        }
    }
    assert!(seen >= 2, "the processes of the lab are not seen from here");
    assert!(problems.is_empty(), "{problems:#?}");
}

#[tokio::test]
async fn no_secret_is_in_the_memory_file_systems_of_nodes() {
    let lab = Lab::from_env();
    let secrets = secrets(&lab).await;
    let patterns: Vec<String> = secrets.values().map(|secret| String::from_utf8_lossy(secret).into_owned()).collect();
    // With a file's own status: grep ends with 1 where it finds nothing.
    let script = "grep -arlF -D skip -f - /run /etc/cuttle /etc/libvirt /etc/ceph 2>/dev/null; true";
    for node in nodes(&lab) {
        let name = node.file_name().unwrap().to_string_lossy().into_owned();
        let place = name.strip_prefix("host").unwrap_or(&name).to_owned();
        let found = lab.feed(&["exec", &place, "--", "sh", "-c", script], &patterns.join("\n"));
        let unmeant: Vec<&str> = found.lines().filter(|path| !is_meant_inside(path)).collect();
        assert!(unmeant.is_empty(), "{name}: {unmeant:?}");
    }
}

fn is_meant_inside(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    path.starts_with("/etc/cuttle/") && (name.ends_with(".keyring") || name.ends_with("-password"))
        // The overlay's upper directory shows the same files again.
        || path.starts_with("/run/overlay/etc/") && path.contains("/cuttle/")
}

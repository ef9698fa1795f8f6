//! The rules of the house that a machine can check: which crate may see which, who may name what, and
//! that every crate takes the workspace's lints. `docs/architecture.md` says why.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Crates of ours that each crate may depend on. What is not listed is forbidden.
const ARROWS: &[(&str, &[&str])] = &[
    ("cuttle-model", &[]),
    ("cuttle-formats", &[]),
    ("cuttle-scheduler", &["cuttle-model"]),
    ("cuttle-compute-protocol", &["cuttle-model"]),
    ("cuttle-rbd-backend", &["cuttle-model"]),
    ("cuttle-database", &["cuttle-model", "cuttle-compute-protocol"]),
    ("cuttle-fakes", &["cuttle-model", "cuttle-compute-protocol", "cuttle-rbd-backend", "cuttle-compute"]),
    ("cuttle-compute", &["cuttle-model", "cuttle-compute-protocol", "cuttle-rbd-backend"]),
    (
        "cuttle-operations",
        &[
            "cuttle-model",
            "cuttle-formats",
            "cuttle-scheduler",
            "cuttle-database",
            "cuttle-rbd-backend",
            "cuttle-compute-protocol",
        ],
    ),
    (
        "cuttle-api",
        &[
            "cuttle-model",
            "cuttle-formats",
            "cuttle-scheduler",
            "cuttle-database",
            "cuttle-rbd-backend",
            "cuttle-compute-protocol",
            "cuttle-operations",
        ],
    ),
    // The operator's command speaks HTTP and knows nothing of ours.
    ("cuttle-cli", &[]),
];

/// Libraries that one crate alone may depend on.
const OWNED: &[(&str, &[&str])] = &[
    ("sqlx", &["cuttle-database"]),
    ("axum", &["cuttle-api"]),
    ("clap_complete", &["cuttle-cli"]),
    ("comfy-table", &["cuttle-cli"]),
    ("indicatif", &["cuttle-cli"]),
    ("reqwest", &["cuttle-cli", "cuttle-tests"]),
    ("virt", &["cuttle-compute"]),
    ("virt-sys", &["cuttle-compute"]),
];

/// Folders in which `unsafe` may stand.
const UNSAFE: &[&str] = &["rbd-backend/src/sys", "compute/src/libvirt"];

/// Libraries that must not come in by any way: a second TLS provider, or what needs OpenSSL.
const BANNED: &[&str] = &["openssl-sys", "aws-lc-sys", "aws-lc-rs"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifests() -> BTreeMap<String, (PathBuf, toml::Table)> {
    let workspace: toml::Table = read(&root().join("Cargo.toml")).parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    members
        .iter()
        .map(|member| {
            let folder = root().join(member.as_str().unwrap());
            let manifest: toml::Table = read(&folder.join("Cargo.toml")).parse().unwrap();
            (manifest["package"]["name"].as_str().unwrap().to_owned(), (folder, manifest))
        })
        .collect()
}

fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let table = |name: &str| manifest.get(name).and_then(toml::Value::as_table).cloned().unwrap_or_default();
    table("dependencies").keys().chain(table("build-dependencies").keys()).cloned().collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir()
            && name != "target"
            && !name.to_string_lossy().starts_with('.')
            && !name.to_string_lossy().starts_with("run")
        {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn dependencies_point_one_way() {
    let manifests = manifests();
    let arrows: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    for (name, (_, manifest)) in manifests.iter().filter(|(name, _)| *name != "cuttle-tests") {
        let allowed = arrows.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not in the table of arrows"));
        for dependency in dependencies(manifest).iter().filter(|dependency| manifests.contains_key(*dependency)) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

/// What stands in for Ceph and libvirt never ships: nobody depends on it but for tests.
#[test]
fn stand_ins_are_for_tests_only() {
    for (name, (_, manifest)) in manifests() {
        assert!(!dependencies(&manifest).contains("cuttle-fakes"), "{name} must not depend on cuttle-fakes but for its tests");
    }
    assert_eq!(manifests()["cuttle-fakes"].1["package"]["publish"]["workspace"].as_bool(), Some(true));
    let workspace: toml::Table = read(&root().join("Cargo.toml")).parse().unwrap();
    assert_eq!(workspace["workspace"]["package"]["publish"].as_bool(), Some(false));
}

#[test]
fn libraries_stay_with_their_owners() {
    for (name, (_, manifest)) in manifests() {
        for dependency in dependencies(&manifest) {
            if let Some((_, owners)) = OWNED.iter().find(|(library, _)| *library == dependency) {
                assert!(owners.contains(&name.as_str()), "{name} must not name {dependency}");
            }
        }
    }
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    for (name, (_, manifest)) in manifests() {
        let taken = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
        assert_eq!(taken, Some(true), "{name} needs [lints] workspace = true");
    }
}

#[test]
fn unsafe_stands_only_where_c_is_called() {
    for path in sources(&root()) {
        let relative = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        if UNSAFE.iter().any(|folder| relative.starts_with(folder)) || relative == "tests/tests/house.rs" {
            continue;
        }
        let code = read(&path);
        let found = code.lines().find(|line| {
            let line = line.trim_start();
            !line.starts_with("//") && (line.contains("unsafe {") || line.contains("unsafe fn") || line.contains("unsafe impl"))
        });
        assert!(found.is_none(), "{relative} holds unsafe code: {}", found.unwrap_or_default());
    }
}

#[test]
fn every_module_says_what_it_is() {
    for path in sources(&root()) {
        let relative = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        if relative.ends_with("sys/raw.rs") || path.file_name().is_some_and(|name| name == "tests.rs") {
            continue; // generated, or the tests of the module above it
        }
        let starts = read(&path).lines().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
        assert!(starts.starts_with("//!"), "{relative} begins without a //! comment");
    }
}

#[test]
fn there_is_one_tls_provider() {
    let lock: toml::Table = read(&root().join("Cargo.lock")).parse().unwrap();
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        assert!(!BANNED.contains(&name), "{name} is in Cargo.lock");
    }
}

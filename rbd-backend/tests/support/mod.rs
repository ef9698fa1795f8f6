//! A real cluster for the tests, named by `CUTTLE_TEST_CEPH_CONF`, and images that are cleaned up whatever happens.
#![allow(dead_code, reason = "each test binary uses a part")]

use cuttle_rbd_backend::{Cluster, ClusterConfig, Deferment, KeySource, Limits, Metadata, Pool, PoolUse};
use std::future::Future;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

/// One pool for all tests, with images of unique names: pools take seconds to make, and OSDs bear only so many.
pub const POOL: &str = "cuttle-rbd-test";

pub fn conf() -> PathBuf {
    let path = std::env::var_os("CUTTLE_TEST_CEPH_CONF").map(PathBuf::from);
    let path = path.expect("CUTTLE_TEST_CEPH_CONF must name a ceph.conf with an administrator's keyring: start a lab first");
    assert!(path.exists(), "CUTTLE_TEST_CEPH_CONF names {}, which is not there", path.display());
    path
}

pub fn admin() -> ClusterConfig {
    ClusterConfig { conf_file: Some(conf()), monitors: None, client_name: "client.admin".into(), key: KeySource::ConfFile }
}

pub async fn connect() -> Cluster {
    connect_with(Limits::default()).await
}

pub async fn connect_with(limits: Limits) -> Cluster {
    Cluster::connect(admin(), limits).await.unwrap()
}

/// Waits until nothing is counted as under way: an answer is handed over a moment before its place is given back.
pub async fn until_idle(cluster: &Cluster) {
    let idle = async {
        while cluster.stats() != cuttle_rbd_backend::Stats::default() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), idle).await;
    assert!(waited.is_ok(), "still {:?}", cluster.stats());
}

pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    format!("{prefix}-{now:x}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn metadata(entries: &[(&str, &str)]) -> Metadata {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// What a test works with: a pool, and a prefix for the names of its images.
#[derive(Clone)]
pub struct Place {
    pub cluster: Cluster,
    pub pool: Pool,
    pub prefix: String,
}

impl Place {
    pub fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }
}

/// Runs a test on the real cluster and removes its images afterwards, also when it failed.
pub async fn with_place<F, Fut>(test: F)
where
    F: FnOnce(Place) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let cluster = connect().await;
    cluster.create_pool(POOL, PoolUse::Images).await.unwrap();
    let place = Place { pool: cluster.pool(POOL), cluster, prefix: unique("test") };
    let result = tokio::spawn(test(place.clone())).await;
    clean(&place).await;
    if let Err(failed) = result {
        std::panic::resume_unwind(failed.into_panic());
    }
}

/// Children before parents takes as many rounds as clones are deep.
async fn clean(place: &Place) {
    for _ in 0..6 {
        let images = place.pool.list_images().await.unwrap();
        let trash = place.pool.trash_list().await.unwrap();
        let images: Vec<_> = images.into_iter().filter(|image| image.name.starts_with(&place.prefix)).collect();
        let trash: Vec<_> = trash.into_iter().filter(|entry| entry.name.starts_with(&place.prefix)).collect();
        if images.is_empty() && trash.is_empty() {
            return;
        }
        for image in images {
            for snapshot in place.pool.list_snapshots(&image.name).await.ok().flatten().unwrap_or_default() {
                let _ = place.pool.unprotect_snapshot(&image.name, &snapshot.name).await;
                let _ = place.pool.remove_snapshot(&image.name, &snapshot.name).await;
            }
            let _ = place.pool.trash_move(&image.name, Duration::ZERO).await;
        }
        for entry in place.pool.trash_list().await.unwrap() {
            if entry.name.starts_with(&place.prefix) {
                let _ = place.pool.trash_purge(&entry.id, Deferment::Ignored).await;
            }
        }
    }
    panic!("images of {} could not be removed", place.prefix);
}

/// The administrator's own tool, for what this crate does not do: break things, and check from outside.
pub fn ceph(arguments: &[&str]) -> String {
    run("ceph", arguments)
}

pub fn rbd(arguments: &[&str]) -> String {
    run("rbd", arguments)
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).arg("-c").arg(conf()).args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?} failed: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

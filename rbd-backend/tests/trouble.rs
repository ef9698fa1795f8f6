//! A cluster in trouble, made with the lab's own commands: monitors and OSDs away, pools and OSDs full.
//!
//! In each case a caller is told what was attempted and why it did not work, within its deadline; and when the trouble is
//! over, the same connection goes on. The lab needs three OSDs; nothing else may use it meanwhile.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/lab.rs"]
mod lab;
mod support;

use cuttle_rbd_backend::{
    Class, ClonePlan, Cluster, Deferment, FullBecause, Limits, Metadata, Pool, PoolUse, Severity, WriterOptions,
};
use lab::{Undone, ceph_process};
use std::time::{Duration, Instant};
use support::{ceph, connect, connect_with, unique};
use tokio::sync::Mutex;

/// One test at a time: they share the cluster, and each breaks it.
static CLUSTER: Mutex<()> = Mutex::const_new(());

const SIZE: u64 = 8 << 20;
const DEADLINE: Duration = Duration::from_secs(3);
/// A deadline, and what a busy machine adds.
const FREED: Duration = Duration::from_secs(6);
/// How long the cluster may take to notice or to recover.
const RECOVERY: Duration = Duration::from_secs(120);

fn impatient() -> Limits {
    Limits { call_timeout: DEADLINE, ceph_timeout: Duration::from_secs(5), ..Limits::default() }
}

async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < RECOVERY, "{what}: not within {RECOVERY:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A pool of its own, removed when dropped.
struct Own {
    pool: Pool,
    _removed: Undone<Box<dyn FnMut()>>,
}

async fn own_pool(cluster: &Cluster, replicas: u32) -> Own {
    let name = unique("trouble");
    // Making a pool takes several rounds of the monitors.
    let patient = cluster.with_timeout(Duration::from_secs(60));
    patient.create_pool_sized(&name, PoolUse::Images, Some(8)).await.unwrap();
    let removed = name.clone();
    let remove: Box<dyn FnMut()> =
        Box::new(move || drop(ceph(&["osd", "pool", "rm", &removed, &removed, "--yes-i-really-really-mean-it"])));
    let own = Own { pool: cluster.pool(&name), _removed: Undone(remove) };
    if replicas > 1 {
        ceph(&["osd", "pool", "set", &name, "size", &replicas.to_string()]);
        ceph(&["osd", "pool", "set", &name, "min_size", "2"]);
    }
    own
}

fn plan(pool: &Pool, name: &str) -> ClonePlan {
    ClonePlan {
        parent_pool: pool.name().into(),
        parent_image: "parent".into(),
        parent_snapshot: "snap".into(),
        name: name.into(),
        size_bytes: SIZE,
        metadata: Metadata::new(),
    }
}

async fn make_parent(pool: &Pool) {
    pool.create_image("parent", SIZE, &Metadata::new()).await.unwrap();
    pool.create_snapshot("parent", "snap").await.unwrap();
    pool.protect_snapshot("parent", "snap").await.unwrap();
}

#[tokio::test]
async fn a_monitor_that_is_away_fails_what_asks_it_and_nothing_else() {
    let _one = CLUSTER.lock().await;
    let cluster = connect_with(impatient()).await;
    let own = own_pool(&cluster, 1).await;
    let pool = &own.pool;
    pool.create_image("before", SIZE, &Metadata::new()).await.unwrap();
    let user = format!("client.{}", unique("user"));
    let caps = cuttle_rbd_backend::ClientCaps { mon: "profile rbd".into(), ..Default::default() };

    ceph_process("kill", "mon.a");
    let started = Undone(|| ceph_process("start", "mon.a"));
    let begun = Instant::now();
    let read = cluster.pool_capacity(pool.name()).await.unwrap_err();
    assert!(begun.elapsed() < FREED, "freed after {:?}", begun.elapsed());
    assert_eq!(read.class(), Class::Retry, "{read}");
    assert!(read.to_string().contains(&format!("read capacity in pool {}", pool.name())), "{read}");
    let change = cluster.ensure_client(&user, &caps).await.unwrap_err();
    assert_eq!(change.class(), Class::Unknown, "{change}");
    assert!(change.to_string().contains(&user), "{change}");
    // Disks need OSDs only.
    pool.create_image("meanwhile", SIZE, &Metadata::new()).await.unwrap();
    assert!(pool.info("before").await.unwrap().is_some());

    drop(started);
    eventually("the monitor answers", || async { cluster.pool_capacity(pool.name()).await.ok() }).await;
    cluster.ensure_client(&user, &caps).await.unwrap();
    cluster.remove_client(&user).await.unwrap();
    pool.create_image("after", SIZE, &Metadata::new()).await.unwrap();
    eventually("no call is stuck", || async { (cluster.stats().stuck == 0).then_some(()) }).await;
    assert_eq!(cluster.health().await.unwrap().monitors_in_quorum, 1);
}

#[tokio::test]
async fn one_osd_may_be_lost_and_two_make_calls_wait() {
    let _one = CLUSTER.lock().await;
    let cluster = connect_with(impatient()).await;
    let patient = cluster.with_timeout(Duration::from_secs(60));
    let own = own_pool(&patient, 3).await;
    make_parent(&own.pool).await;

    ceph_process("kill", "osd.2");
    let third = Undone(|| ceph_process("start", "osd.2"));
    own.pool.create_clone(plan(&own.pool, "one-lost")).await.unwrap();
    let health =
        eventually("an OSD is down", || async { cluster.health().await.ok().filter(|health| health.osds_up < health.osds) })
            .await;
    assert!(health.severity > Severity::Ok && health.checks.iter().any(|check| check.code == "OSD_DOWN"), "{health:?}");
    own.pool.create_image("still", SIZE, &Metadata::new()).await.unwrap();

    ceph_process("kill", "osd.1");
    let second = Undone(|| ceph_process("start", "osd.1"));
    let pool = cluster.pool(own.pool.name());
    // The OSD that is left answers until it has noticed.
    let error = eventually("a change waits for a second replica", || async {
        let begun = Instant::now();
        let error = pool.create_clone(plan(&pool, "two-lost")).await.err();
        assert!(begun.elapsed() < FREED, "freed after {:?}", begun.elapsed());
        error
    })
    .await;
    assert_eq!(error.class(), Class::Unknown, "{error}");
    assert!(error.to_string().contains(&format!("clone image {}/two-lost", pool.name())), "{error}");
    assert_eq!(pool.info("one-lost").await.unwrap_err().class(), Class::Retry);

    drop((second, third));
    // The world is read again, and the same change completes what there is.
    let made = eventually("the change is done", || async { pool.create_clone(plan(&pool, "two-lost")).await.ok() }).await;
    assert_eq!(pool.info("two-lost").await.unwrap(), Some(made));
    let names: Vec<_> = pool.list_images().await.unwrap().into_iter().filter(|image| image.name == "two-lost").collect();
    assert_eq!(names.len(), 1);
    // The cluster is whole for the next test.
    eventually("all OSDs are up", || async {
        let health = cluster.health().await.ok()?;
        (health.osds_up == health.osds && health.checks.iter().all(|check| !check.code.starts_with("PG_"))).then_some(())
    })
    .await;
}

/// A pool that takes nothing more: what is asked of it is refused with the reason, at once, and deleting works.
async fn refuses(pool: &Pool, because: FullBecause) {
    let full = eventually("the pool is full", || async {
        let capacity = pool.cluster().pool_capacity(pool.name()).await.unwrap();
        assert!(capacity.full.is_none() || capacity.nearfull);
        capacity.full
    })
    .await;
    assert_eq!(full, because);
    let reason = format!("pool {} is full: ", pool.name());
    let begun = Instant::now();
    let errors = [
        pool.create_image("refused", SIZE, &Metadata::new()).await.unwrap_err(),
        pool.create_clone(plan(pool, "refused-clone")).await.unwrap_err(),
        write(pool, "parent").await.unwrap_err(),
    ];
    for error in errors {
        assert!(error.class() == Class::Refused && error.to_string().contains(&reason), "{error}");
    }
    assert!(begun.elapsed() < FREED, "refused after {:?}", begun.elapsed());
    assert_eq!(pool.info("refused").await.unwrap(), None);
    let left: Vec<_> = pool.list_images().await.unwrap().into_iter().map(|image| image.name).collect();
    assert!(!left.iter().any(|name| name.starts_with("refused")), "{left:?}");
}

async fn write(pool: &Pool, image: &str) -> Result<(), cuttle_rbd_backend::Error> {
    let writer = pool.open_writer(image, WriterOptions::default()).await?;
    writer.write_at(0, vec![1; 1 << 20].into()).await?;
    writer.finish().await
}

/// The first delete of a pool included, which in a pool of librbd's own making would need a new object.
async fn still_deletes(pool: &Pool, name: &str) {
    let id = pool.trash_move(name, Duration::ZERO).await.unwrap().unwrap();
    pool.trash_purge(&id, Deferment::Ignored).await.unwrap();
    assert_eq!(pool.info(name).await.unwrap(), None);
}

#[tokio::test]
async fn a_pool_whose_quota_is_used_up_refuses_at_once_and_still_deletes() {
    let _one = CLUSTER.lock().await;
    let cluster = connect().await;
    let own = own_pool(&cluster, 1).await;
    let pool = &own.pool;
    make_parent(pool).await;
    pool.create_clone(plan(pool, "disk")).await.unwrap();
    write(pool, "disk").await.unwrap();

    ceph(&["osd", "pool", "set-quota", pool.name(), "max_objects", "1"]);
    refuses(pool, FullBecause::Quota).await;
    still_deletes(pool, "disk").await;
    ceph(&["osd", "pool", "set-quota", pool.name(), "max_objects", "0"]);
    eventually("there is room again", || async {
        cluster.pool_capacity(pool.name()).await.unwrap().full.is_none().then_some(())
    })
    .await;
    pool.create_clone(plan(pool, "disk")).await.unwrap();
    write(pool, "disk").await.unwrap();
}

#[tokio::test]
async fn full_osds_refuse_at_once_and_nearly_full_ones_warn() {
    let _one = CLUSTER.lock().await;
    let cluster = connect().await;
    let own = own_pool(&cluster, 1).await;
    let pool = &own.pool;
    make_parent(pool).await;
    for name in ["first", "second"] {
        pool.create_clone(plan(pool, name)).await.unwrap();
    }
    let room = || async { cluster.pool_capacity(pool.name()).await.unwrap().full.is_none().then_some(()) };

    let restored = Undone(|| {
        for (ratio, value) in [("full", "0.95"), ("backfillfull", "0.90"), ("nearfull", "0.85")] {
            ceph(&["osd", &format!("set-{ratio}-ratio"), value]);
        }
    });
    ceph(&["osd", "set-nearfull-ratio", "0.00001"]);
    let health = eventually("OSDs are nearly full", || async {
        let health = cluster.health().await.unwrap();
        health.checks.iter().any(|check| check.code == "OSD_NEARFULL" && check.advice().is_some()).then_some(health)
    })
    .await;
    assert!(health.severity >= Severity::Warning);
    eventually("the pool is nearly full", || async {
        let capacity = cluster.pool_capacity(pool.name()).await.unwrap();
        (capacity.nearfull && capacity.full.is_none()).then_some(())
    })
    .await;
    pool.create_clone(plan(pool, "third")).await.unwrap();

    // Ceph heeds ratios only in their order.
    ceph(&["osd", "set-backfillfull-ratio", "0.00001"]);
    ceph(&["osd", "set-full-ratio", "0.00001"]);
    refuses(pool, FullBecause::Osd).await;
    still_deletes(pool, "second").await;
    let state = cluster.pool_states(&[pool.name(), "no-such-pool"]).await.unwrap();
    assert_eq!(state[0].capacity.as_ref().unwrap().full, Some(FullBecause::Osd));
    assert_eq!((state[0].applications.as_slice(), state[1].capacity.as_ref()), (["rbd".to_owned()].as_slice(), None));
    drop(restored);
    eventually("there is room again", room).await;
    pool.create_clone(plan(pool, "fourth")).await.unwrap();
}

#[tokio::test]
async fn a_slow_cluster_is_waited_for_within_the_deadline_and_nothing_is_done_twice() {
    let _one = CLUSTER.lock().await;
    let cluster = connect().await;
    let own = own_pool(&cluster, 1).await;
    let pool = own.pool.with_timeout(Duration::from_secs(30));
    make_parent(&pool).await;
    let osds = ["osd.0", "osd.1", "osd.2"];
    let each = |action: &'static str| move || osds.iter().for_each(|osd| ceph_process(action, osd));
    let thawed = Undone(each("thaw"));
    each("freeze")();
    let making = tokio::spawn({
        let pool = pool.clone();
        async move { pool.create_clone(plan(&pool, "slow")).await }
    });
    // The time that it is slow is what is tested.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!making.is_finished());
    // Whoever is told "no answer" asks again; both end with the same image.
    let again = own.pool.with_timeout(Duration::from_millis(200)).create_clone(plan(&pool, "slow")).await.unwrap_err();
    assert_eq!(again.class(), Class::Unknown, "{again}");
    drop(thawed);
    let made = making.await.unwrap().unwrap();
    assert_eq!(pool.create_clone(plan(&pool, "slow")).await.unwrap(), made);
    let images: Vec<_> = pool.list_images().await.unwrap().into_iter().filter(|image| image.name == "slow").collect();
    assert_eq!(images.len(), 1);
    eventually("no call is stuck", || async { (cluster.stats().stuck == 0).then_some(()) }).await;
}

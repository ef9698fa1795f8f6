//! A cluster that hangs: its OSDs (`CUTTLE_TEST_OSD_PIDS`) are stopped for a while.
//!
//! One binary, one test at a time: everything else on that cluster hangs as well.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use cuttle_rbd_backend::{Class, Limits, Metadata, Reason, WriterOptions};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::{POOL, connect_with, with_place};

/// What hangs here hangs for seconds or for ever; the rest is what a busy machine adds to a deadline of 1 s.
const FREED: Duration = Duration::from_secs(3);
const AT_ONCE: Duration = Duration::from_millis(500);

/// Stopped OSDs, running again when dropped.
struct Stopped(Vec<String>);

impl Stopped {
    fn now() -> Stopped {
        let pids = std::env::var("CUTTLE_TEST_OSD_PIDS");
        let pids = pids.expect("CUTTLE_TEST_OSD_PIDS must name the process ids of the test cluster's OSDs");
        let pids: Vec<_> = pids.split_whitespace().map(str::to_owned).collect();
        assert!(!pids.is_empty(), "CUTTLE_TEST_OSD_PIDS is empty");
        let stopped = Stopped(pids);
        stopped.signal("-STOP");
        stopped
    }

    fn signal(&self, signal: &str) {
        assert!(kill(signal, &self.0), "kill {signal} {:?}", self.0);
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        kill("-CONT", &self.0);
    }
}

/// By the shell's own `kill`: not every machine has the program.
fn kill(signal: &str, pids: &[String]) -> bool {
    let script = format!("kill {signal} {}", pids.join(" "));
    Command::new("sh").args(["-c", &script]).status().is_ok_and(|status| status.success())
}

/// The longest time that the runtime's only thread did not come round to a task that sleeps 5 ms.
struct Pulse {
    longest: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Pulse {
    fn start() -> Pulse {
        let longest = Arc::new(AtomicU64::new(0));
        let measured = Arc::clone(&longest);
        let task = tokio::spawn(async move {
            loop {
                let begun = Instant::now();
                tokio::time::sleep(Duration::from_millis(5)).await;
                measured.fetch_max(u64::try_from(begun.elapsed().as_millis()).unwrap(), Ordering::Relaxed);
            }
        });
        Pulse { longest, task }
    }

    fn end(self) -> Duration {
        self.task.abort();
        Duration::from_millis(self.longest.load(Ordering::Relaxed))
    }
}

fn limits(ceph_timeout_seconds: u64) -> Limits {
    Limits {
        call_timeout: Duration::from_secs(1),
        ceph_timeout: Duration::from_secs(ceph_timeout_seconds),
        threads: 2,
        max_stuck: 3,
        ..Limits::default()
    }
}

async fn until(what: &str, seconds: u64, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !holds() {
        assert!(Instant::now() < end, "{what} did not come true within {seconds} s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Both on one runtime thread, one after the other, because both stop the same OSDs.
#[tokio::test]
async fn a_hung_cluster_frees_callers_and_blocks_no_runtime_thread() {
    with_place(|place| async move {
        callers_are_freed(place.clone()).await;
        stuck_threads_come_back_by_themselves(place.clone()).await;
        writes_are_bounded(place).await;
    })
    .await;
}

async fn callers_are_freed(place: support::Place) {
    let cluster = connect_with(limits(60)).await;
    let pool = cluster.pool(POOL);
    let known = place.name("known");
    place.pool.create_image(&known, 8 << 20, &Metadata::new()).await.unwrap();

    let pulse = Pulse::start();
    let stopped = Stopped::now();
    let names: Vec<_> = (0..3).map(|number| place.name(&format!("disk{number}"))).collect();
    for (number, name) in names.iter().enumerate() {
        let begun = Instant::now();
        let error = pool.create_image(name, 8 << 20, &Metadata::new()).await.unwrap_err();
        assert_eq!(error.class(), Class::Unknown, "{error}");
        assert!(begun.elapsed() < FREED, "freed after {:?}", begun.elapsed());
        assert!(error.to_string().contains(name) && error.to_string().contains("within 1 s"), "{error}");
        assert_eq!(cluster.stats().stuck, number + 1);
    }
    // The cap is reached: at once, and nothing was begun.
    let begun = Instant::now();
    let refused = pool.create_image(&place.name("more"), 8 << 20, &Metadata::new()).await.unwrap_err();
    assert!(begun.elapsed() < AT_ONCE, "refused after {:?}", begun.elapsed());
    assert!(matches!(refused.reason(), Reason::Overloaded { stuck: 3, .. }), "{refused}");
    assert_eq!(refused.class(), Class::Retry);
    let longest = pulse.end();
    assert!(longest < AT_ONCE, "the runtime's thread was held for {longest:?}");

    drop(stopped);
    until("all threads are back", 30, || cluster.stats().stuck == 0).await;
    // Unknown: the world is read again, and the same change completes what there is.
    let patient = pool.with_timeout(Duration::from_secs(20));
    for name in &names {
        let before = patient.info(name).await.unwrap();
        let made = patient.create_image(name, 8 << 20, &Metadata::new()).await.unwrap();
        println!("{name}: {} before the repeat", if before.is_some() { "there" } else { "not there" });
        assert!(before.is_none_or(|before| before == made));
    }
    assert_eq!(patient.info(&place.name("more")).await.unwrap(), None);
}

/// Without anybody's help: Ceph's own timeouts end what hangs.
async fn stuck_threads_come_back_by_themselves(place: support::Place) {
    // Long enough that neither comes back before both are seen to be stuck.
    let cluster = connect_with(limits(6)).await;
    let pool = cluster.pool(POOL);
    let known = place.name("known");
    let stopped = Stopped::now();
    let read = pool.info(&known).await.unwrap_err();
    assert_eq!(read.class(), Class::Retry, "{read}");
    let change = pool.resize(&known, 16 << 20).await.unwrap_err();
    assert_eq!(change.class(), Class::Unknown, "{change}");
    assert_eq!(cluster.stats().stuck, 2);
    until("both threads are back", 30, || cluster.stats().stuck == 0).await;
    drop(stopped);
    let patient = pool.with_timeout(Duration::from_secs(40));
    patient.resize(&known, 16 << 20).await.unwrap();
    assert_eq!(patient.info(&known).await.unwrap().unwrap().size_bytes, 16 << 20);
}

async fn writes_are_bounded(place: support::Place) {
    let limits = Limits { aio_in_flight: 4, ..limits(60) };
    let cluster = connect_with(limits).await;
    let pool = cluster.pool(POOL);
    let name = place.name("written");
    let patient = pool.with_timeout(Duration::from_secs(20));
    patient.create_image(&name, 64 << 20, &Metadata::new()).await.unwrap();
    let options = WriterOptions { in_flight: 8, ..WriterOptions::default() };
    let writer = pool.open_writer(&name, options).await.unwrap();
    writer.write_at(0, vec![1u8; 4096].into()).await.unwrap();
    until("the first write is done", 10, || cluster.stats().aio_in_flight == 0).await;

    let pulse = Pulse::start();
    let stopped = Stopped::now();
    for piece in 0..4u64 {
        writer.write_at(piece << 22, vec![2u8; 1 << 20].into()).await.unwrap();
    }
    let begun = Instant::now();
    let error = writer.write_at(4 << 22, vec![2u8; 1 << 20].into()).await.unwrap_err();
    assert!(begun.elapsed() < FREED && matches!(error.reason(), Reason::NeverStarted { .. }), "{error}");
    assert_eq!(cluster.stats().aio_in_flight, 4);
    let reader = pool.open_reader(&name, None).await;
    assert_eq!(reader.err().unwrap().class(), Class::Retry);
    let begun = Instant::now();
    let error = writer.finish().await.unwrap_err();
    assert!(begun.elapsed() < FREED, "freed after {:?}", begun.elapsed());
    assert_eq!(error.class(), Class::Unknown, "{error}");
    let longest = pulse.end();
    assert!(longest < AT_ONCE, "the runtime's thread was held for {longest:?}");
    drop(stopped);

    until("the writes are done", 30, || cluster.stats().aio_in_flight == 0).await;
    let reader = patient.open_reader(&name, None).await.unwrap().unwrap();
    assert!(reader.read_at(12 << 20, 1 << 20).await.unwrap().iter().all(|byte| *byte == 2));
    // The writer that was given up lets go of its watch.
    for _ in 0..100 {
        if patient.watchers(&name).await.unwrap().unwrap().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the image is still open");
}

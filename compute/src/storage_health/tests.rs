// What runs: probers, their measures and what is told, in a time of seconds instead of minutes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cuttle_model::clock::SystemClock;

use super::*;

/// Storage that answers in two milliseconds, or not at all.
#[derive(Default)]
struct Storage {
    cut: AtomicBool,
    under_way: AtomicUsize,
    most: AtomicUsize,
    writes: Mutex<Vec<String>>,
}

impl Storage {
    async fn answer(&self) -> Result<Duration, ProbeError> {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let took = Duration::from_millis(2);
        let mut waited = Duration::ZERO;
        tokio::time::sleep(took).await;
        while self.cut.load(Ordering::SeqCst) && waited < PATIENCE {
            tokio::time::sleep(Duration::from_millis(100)).await;
            waited += Duration::from_millis(100);
        }
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        if self.cut.load(Ordering::SeqCst) { Err(ProbeError::NoAnswer) } else { Ok(took + waited) }
    }
}

impl Probe for &Storage {
    async fn write(&self, pool: &str, object: &str) -> Result<Duration, ProbeError> {
        locked(&self.writes).push(format!("{pool}/{object}"));
        self.answer().await
    }

    async fn read(&self, _pool: &str, _object: &str) -> Result<Duration, ProbeError> {
        self.answer().await
    }
}

fn measuring() -> Measuring {
    let pool = |pool: &str, access| MeasuredPool { pool: pool.to_owned(), access };
    let pools = vec![pool("vms", PoolAccess::ReadWrite), pool("images", PoolAccess::Read)];
    let limits = HealthLimits {
        interval_ms: 100,
        window_seconds: 1,
        slow_p50_ms: 10_000,
        slow_p99_ms: 10_000,
        sink_seconds: 1,
        broken_seconds: 1,
        return_seconds: 1,
    };
    Measuring { pools, limits }
}

#[tokio::test]
async fn a_cut_is_told_and_so_is_its_end_and_probes_never_pile_up() {
    let (storage, host) = (Storage::default(), "host1".parse::<HostName>().unwrap());
    let (told, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let measuring = measuring();
    let say = |health: StorageHealth, _: &dyn Fn() -> String| {
        let _ = told.send((Instant::now(), health.state));
    };
    let link = &storage;
    let story = async {
        let mut until = async |state| {
            loop {
                let (at, found) = seen.recv().await.unwrap();
                if found == state {
                    return at;
                }
                assert_ne!(found, PathState::Slow, "nothing here is slow for long enough");
            }
        };
        until(PathState::Good).await;
        while locked(&storage.writes).len() < 9 {
            until(PathState::Good).await;
        }
        storage.cut.store(true, Ordering::SeqCst);
        let cut = Instant::now();
        let broken = until(PathState::Broken).await;
        assert!(broken - cut >= Duration::from_millis(800), "it is given its second: {:?}", broken - cut);
        storage.cut.store(false, Ordering::SeqCst);
        let healed = Instant::now();
        let good = until(PathState::Good).await;
        assert!(good - healed >= Duration::from_secs(1), "and proves itself for another: {:?}", good - healed);
    };
    tokio::select! {
        () = measure(&host, &link, &measuring, say) => unreachable!(),
        () = story => {}
    }
    assert_eq!(storage.most.load(Ordering::SeqCst), 2, "one probe of each pool at a time");
    let writes = locked(&storage.writes);
    assert!(writes.iter().all(|object| object.starts_with("vms/host1.")), "nothing is written where only reading is allowed");
    assert!(writes.contains(&"vms/host1.7".to_owned()), "{writes:?}");
}

#[test]
fn what_changed_is_told_at_once_and_the_rest_now_and_then() {
    let health = Health::default();
    assert_eq!(health.news(), None);
    let good = StorageHealth {
        state: PathState::Good,
        since: SystemClock.now(),
        quality: 1000,
        crush_location: None,
        pools: Vec::new(),
    };
    health.told().present = Some(good.clone());
    assert_eq!(health.news().as_ref(), Some(&good));
    assert!(health.news().is_some(), "until it is taken");
    health.taken(good.clone());
    assert_eq!(health.news(), None);
    health.told().taken = Some((good.clone(), Instant::now().checked_sub(TELL_INTERVAL).unwrap()));
    assert!(health.news().is_some());
    health.taken(good.clone());
    health.told().present = Some(StorageHealth { quality: 0, state: PathState::Broken, ..good.clone() });
    assert!(health.news().is_some());
    health.taken(StorageHealth { quality: 0, state: PathState::Broken, ..good });
    health.greeted();
    assert!(health.news().is_some(), "another control node may not have it");
}

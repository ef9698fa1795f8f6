//! How well this host reaches storage: small reads and writes of each pool, measured all the time.
//!
//! ```text
//! one prober a pool ─► Measures (the last seconds) ─► Verdict (good, slow, broken) ─► beats, events
//!        │
//!        └── Link: one connection to Ceph, made anew when it no longer answers
//! ```
//!
//! Always true: of each pool at the most one probe is under way, so a Ceph that hangs holds as many threads as there are
//! pools and no thread of the runtime; a verdict changes by what was seen for as long as the limits say, and not by a
//! single slow answer; nothing is said before anything was seen, so that an agent's restart changes nothing.

mod link;
mod measures;
mod verdict;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cuttle_compute_protocol::{HEALTH_OBJECTS, MeasuredPool, Measuring, MonitorAddress, PoolAccess, health_object};
use cuttle_model::clock::{Clock, Timestamp};
use cuttle_model::crush::CrushLocation;
use cuttle_model::host::HostName;
use cuttle_model::host_event::HostEventKind;
use cuttle_model::storage_health::{HealthLimits, PathState, StorageHealth};
use futures::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

pub use link::{Credentials, Key, Link, Probe, ProbeError};
use measures::Measures;
use verdict::Verdict;

use crate::news::News;

/// How often the measures are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// What did not change is told again after this long, so that its numbers are fresh.
const TELL_INTERVAL: Duration = Duration::from_secs(10);
/// After so long a probe has failed, and the connection is made anew.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What the control plane is told, and what is to be measured.
pub struct Health {
    wanted: watch::Sender<Option<Wanted>>,
    told: Mutex<Told>,
}

/// What is to be measured, as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub credentials: Credentials,
    pub measuring: Measuring,
}

#[derive(Default)]
struct Told {
    present: Option<StorageHealth>,
    crush_location: Option<CrushLocation>,
    /// What the control plane has, and since when.
    taken: Option<(StorageHealth, Instant)>,
}

impl Default for Health {
    fn default() -> Self {
        Self { wanted: watch::Sender::new(None), told: Mutex::default() }
    }
}

impl Health {
    /// Says what is to be measured from now on; nothing, where the host does not belong to a cloud. What is measured
    /// already goes on.
    pub fn want(&self, wanted: Option<Wanted>) {
        self.wanted.send_if_modified(|present| {
            let differs = *present != wanted;
            *present = wanted;
            differs
        });
    }

    /// Ceph's monitors are there now.
    pub fn moved(&self, monitors: &[MonitorAddress]) {
        self.wanted.send_if_modified(|wanted| match wanted {
            Some(wanted) if wanted.credentials.monitors != monitors => {
                wanted.credentials.monitors = monitors.to_vec();
                true
            }
            _ => false,
        });
    }

    /// What the next beat tells: what has changed, and now and then what has not.
    pub fn news(&self) -> Option<StorageHealth> {
        let told = self.told();
        let present = StorageHealth { crush_location: told.crush_location.clone(), ..told.present.clone()? };
        let is_known = told.taken.as_ref().is_some_and(|(taken, at)| {
            let same = (taken.state, taken.quality) == (present.state, present.quality);
            same && taken.crush_location == present.crush_location && at.elapsed() < TELL_INTERVAL
        });
        (!is_known).then_some(present)
    }

    /// The host stands there.
    pub fn stands(&self, location: &CrushLocation) {
        self.told().crush_location = Some(location.clone());
    }

    /// The control plane has it.
    pub fn taken(&self, health: StorageHealth) {
        self.told().taken = Some((health, Instant::now()));
    }

    /// Another connection may lead to another control plane: it is told anew.
    pub fn greeted(&self) {
        self.told().taken = None;
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Measures what is wanted, for ever.
pub async fn run(host: &HostName, health: &Health, clock: &Arc<dyn Clock>, news: &News) {
    let mut wanted = health.wanted.subscribe();
    loop {
        let now = wanted.borrow_and_update().clone();
        let measuring = async {
            match now {
                Some(now) if now.measuring.limits.interval_ms > 0 => {
                    let link = Link::new(now.credentials);
                    measure(host, &link, &now.measuring, |state, message| {
                        let mut told = health.told();
                        let since = told.present.as_ref().filter(|known| known.state == state.state).map(|known| known.since);
                        if since.is_none() && (told.present.is_some() || state.state != PathState::Good) {
                            news.tell(kind(state.state), message());
                        }
                        told.present = Some(StorageHealth { since: since.unwrap_or_else(|| clock.now()), ..state });
                    })
                    .await;
                }
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = measuring => {}
            changed = wanted.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

fn kind(state: PathState) -> HostEventKind {
    match state {
        PathState::Good => HostEventKind::StorageGood,
        PathState::Slow => HostEventKind::StorageSlow,
        PathState::Broken => HostEventKind::StorageBroken,
    }
}

/// Probes the pools, and says what is made of it each time it is looked at. Since when and where is not filled in.
async fn measure(host: &HostName, link: &impl Probe, measuring: &Measuring, say: impl Fn(StorageHealth, &dyn Fn() -> String)) {
    let (limits, begun) = (measuring.limits, Instant::now());
    let pools: Vec<Mutex<Measures>> = measuring.pools.iter().map(|_| Mutex::new(Measures::new(&limits))).collect();
    let probers = measuring.pools.iter().zip(&pools).map(|(pool, measures)| probe(host, link, pool, measures, &limits, begun));
    let look = async {
        let mut ticks = tokio::time::interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut verdict = Verdict::new(limits);
        loop {
            ticks.tick().await;
            let now = begun.elapsed();
            let named = measuring.pools.iter().zip(&pools);
            let found: Vec<_> = named.map(|(pool, measures)| locked(measures).look(&pool.pool, now)).collect();
            if let Some((state, quality)) = verdict.observe(now, &found) {
                let message = || verdict::message(state, &found, &limits);
                let since = Timestamp::from_micros(0);
                say(StorageHealth { state, since, quality, crush_location: None, pools: found.clone() }, &message);
            }
        }
    };
    tokio::select! {
        () = look => {}
        _ = join_all(probers) => {}
    }
}

/// One pool's probes, one after the other.
async fn probe(
    host: &HostName,
    link: &impl Probe,
    pool: &MeasuredPool,
    measures: &Mutex<Measures>,
    limits: &HealthLimits,
    begun: Instant,
) {
    let mut ticks = tokio::time::interval(Duration::from_millis(limits.interval_ms.max(100)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in (0..HEALTH_OBJECTS).cycle() {
        ticks.tick().await;
        let object = health_object(host.as_str(), number);
        if pool.access == PoolAccess::ReadWrite {
            locked(measures).sent(begun.elapsed());
            let written = link.write(&pool.pool, &object).await;
            locked(measures).wrote(begun.elapsed(), written);
        }
        locked(measures).sent(begun.elapsed());
        let read = link.read(&pool.pool, &object).await;
        locked(measures).read(begun.elapsed(), read);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

//! Which hosts are near to which pools, kept as Ceph has it now.
//!
//! Looking is one small answer of a monitor. What is large (the CRUSH map, all placement groups) is read when the OSD
//! map's epoch has changed, and once more when the manager has surely heard of the change; and however often it changes,
//! reading it takes no more than a small share of the time. Decisions look up what was worked out.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use cuttle_compute_protocol::Standing as Said;
use cuttle_database::HostStanding;
use cuttle_model::crush::{CrushLocation, PgServers};
use cuttle_model::host::HostName;
use cuttle_model::ids::HostId;
use cuttle_rbd_backend::{Cluster, Layout};
use cuttle_scheduler::{Nearness, Spread, Standing, Tree};

use crate::{Control, HostError};

/// How often it is looked whether something has changed.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// The manager hears of placement groups from OSDs every five seconds; after this long it has heard of a change.
const SETTLED: Duration = Duration::from_secs(15);
/// Reading takes no more than one part of the time in so many.
const SHARE: u32 = 50;

/// What is known. Empty until Ceph was asked for the first time.
#[derive(Default)]
pub(crate) struct Locality(RwLock<Arc<Known>>);

/// What was worked out, all of the same moment.
#[derive(Default)]
pub(crate) struct Known {
    tree: Arc<Tree>,
    locations: HashMap<HostId, CrushLocation>,
    pub nearness: Nearness,
}

impl Locality {
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, known: Known) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }
}

impl Known {
    /// Where a host stands that says this of itself, the whole way up.
    pub fn place(&self, name: &HostName, said: &Said) -> Option<CrushLocation> {
        let path = self.tree.find(name.as_str(), said.crush_location.as_ref())?;
        self.tree.location(&path)
    }

    /// Where a host stands of which it is on record.
    pub fn location(&self, host: HostId) -> Option<CrushLocation> {
        self.locations.get(&host).cloned()
    }
}

/// Follows Ceph's map and the hosts for ever; where there is no Ceph, nothing.
pub(crate) async fn watch(control: &Control) {
    let mut tick = tokio::time::interval(LOOK_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut due, mut facts, mut hosts) = (Due::default(), None, Vec::new());
    loop {
        tick.tick().await;
        let ceph = control.ceph();
        let Some(cluster) = ceph.cluster() else { continue };
        match look(control, cluster, &mut due, &mut facts).await {
            Ok(is_new) => {
                let standings = match control.database().list_standings().await {
                    Ok(standings) => standings,
                    Err(error) => {
                        tracing::warn!(%error, "it could not be read where hosts stand");
                        continue;
                    }
                };
                if let (Some(facts), true) = (&facts, is_new || standings != hosts) {
                    control.locality().set(work_out(facts, &standings));
                    hosts = standings;
                }
            }
            // What was known is still the best that is known.
            Err(error) => tracing::warn!(%error, "the placement groups' mappings could not be read"),
        }
    }
}

/// What was read of Ceph: the tree, and the pools that instances use.
struct Facts {
    tree: Arc<Tree>,
    spreads: Vec<(String, Spread)>,
}

/// Reads what is due; answers whether it was.
async fn look(control: &Control, cluster: &Cluster, due: &mut Due, facts: &mut Option<Facts>) -> Result<bool, HostError> {
    let epoch = cluster.osd_map_epoch().await?;
    let begun = Instant::now();
    if !due.is_due(epoch, begun) {
        return Ok(false);
    }
    let layout = cluster.layout().await?;
    let settings = control.settings();
    let used = [settings.vms_pool.clone(), settings.images_pool.clone(), settings.volumes_pool.clone()];
    let count = layout.pgs.len();
    // A large cluster's is some milliseconds of work.
    let counted = tokio::task::spawn_blocking(move || count_up(&layout, &used)).await;
    *facts = counted.ok();
    let took = begun.elapsed();
    due.was_read(Instant::now(), took);
    metrics::histogram!("cuttle_locality_refresh_seconds").record(took);
    tracing::debug!(epoch, pgs = count, took_ms = took.as_millis(), "read which OSDs serve the pools");
    Ok(true)
}

fn count_up(layout: &Layout, used: &[String]) -> Facts {
    let tree = Tree::new(&layout.map);
    let mut pgs: HashMap<i64, Vec<&PgServers>> = HashMap::new();
    for pg in &layout.pgs {
        pgs.entry(pg.pool_id).or_default().push(pg);
    }
    let pools = layout.pools.iter().filter(|pool| used.contains(&pool.name));
    let spread = |id, redundancy| Spread::new(&tree, redundancy, pgs.get(&id).into_iter().flatten().copied());
    let spreads = pools.map(|pool| (pool.name.clone(), spread(pool.id, pool.redundancy))).collect();
    Facts { spreads, tree: Arc::new(tree) }
}

fn work_out(facts: &Facts, hosts: &[HostStanding]) -> Known {
    let standing = |host: &HostStanding| Standing {
        host: host.host_id,
        path: facts.tree.find(host.name.as_str(), host.said.as_ref()),
        localizes: host.localizes_reads,
    };
    let standings: Vec<Standing> = hosts.iter().map(standing).collect();
    let located = standings.iter().filter_map(|standing| Some((standing.host, facts.tree.location(standing.path.as_ref()?)?)));
    Known {
        locations: located.collect(),
        nearness: Nearness::new(&facts.tree, facts.spreads.iter().map(|(pool, spread)| (pool.as_str(), spread)), &standings),
        tree: Arc::clone(&facts.tree),
    }
}

/// When it is time to read.
#[derive(Default)]
struct Due {
    epoch: Option<u64>,
    /// It has changed, and was not read since.
    changed: bool,
    /// When what was read last has to be read again, because it may be of before the change.
    settles_at: Option<Instant>,
    not_before: Option<Instant>,
}

impl Due {
    fn is_due(&mut self, epoch: u64, now: Instant) -> bool {
        if self.epoch != Some(epoch) {
            self.epoch = Some(epoch);
            self.changed = true;
            self.settles_at = Some(now + SETTLED);
        }
        let settles = self.settles_at.is_some_and(|at| at <= now);
        (self.changed || settles) && self.not_before.is_none_or(|at| at <= now)
    }

    fn was_read(&mut self, now: Instant, took: Duration) {
        self.changed = false;
        self.settles_at = self.settles_at.filter(|at| *at > now);
        self.not_before = Some(now + took * SHARE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_at_once_and_when_it_has_settled() {
        let (begun, mut due, mut read) = (Instant::now(), Due::default(), Vec::new());
        for second in 0..60u64 {
            let now = begun + Duration::from_secs(second);
            let epoch = if second < 20 { 1 } else { 2 };
            if due.is_due(epoch, now) {
                read.push(second);
                due.was_read(now, Duration::from_millis(10));
            }
        }
        assert_eq!(read, [0, 15, 20, 35]);
    }

    #[test]
    fn one_that_changes_all_the_time_takes_a_small_share_of_it() {
        let (begun, mut due, mut read) = (Instant::now(), Due::default(), 0);
        for second in 0..1000u64 {
            let now = begun + Duration::from_secs(second);
            if due.is_due(second, now) {
                read += 1;
                due.was_read(now, Duration::from_millis(400));
            }
        }
        assert_eq!(read, 50, "each takes 0.4 s, and is followed by twenty without");
    }
}

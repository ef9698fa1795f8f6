//! The choice: every filter in order, then the sum of the weights.

use std::time::Duration;

use cuttle_model::capacity::PoolAccount;
use cuttle_model::clock::Timestamp;
use cuttle_model::host::HostName;
use cuttle_model::ids::HostId;
use cuttle_model::placement::{NearMiss, Part, Reasons, Shortfall, Weighed};

use crate::filters::{self, Check, Filter, Sweep};
use crate::request::Request;
use crate::settings::{Driver, Settings};
use crate::snapshot::Snapshot;
use crate::weighers::{self, Measure, Range, Weigher};

/// How many of the best hosts are shown with their weights.
const SHOWN: usize = 5;

/// What is known of the cloud at the time of the choice.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    pub snapshot: &'a Snapshot,
    pub now: Timestamp,
    /// A host that was not heard of for so long takes no instance.
    pub down_after: Duration,
    /// The pool that disks will be in; `None` where it could not be asked.
    pub pool: Option<PoolAccount>,
    pub settings: &'a Settings,
}

/// The host that was chosen, if there is one, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub chosen: Option<Chosen>,
    pub reasons: Reasons,
}

/// A chosen host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    pub host_id: HostId,
    pub name: HostName,
}

/// Memory that decisions use one after the other.
#[derive(Debug, Default)]
pub struct Scratch {
    /// For each host: 0 while it is there, else which filter removed it.
    marks: Vec<u8>,
    /// The hosts that are left.
    rows: Vec<u32>,
    /// A weigher's measures of these.
    raw: Vec<f64>,
    /// And their weights so far.
    scores: Vec<f64>,
}

/// Filters, then ranks. Hosts of equal weight keep the order of their names, so that the same
/// question has the same answer.
pub fn choose(world: &World<'_>, request: &Request<'_>, scratch: &mut Scratch) -> Choice {
    let hosts = world.snapshot.len();
    scratch.marks.clear();
    scratch.marks.resize(hosts, 0);
    let mut removed = Vec::with_capacity(Filter::ALL.len());
    for (mark, filter) in (1..).zip(Filter::ALL) {
        if filter.is_on(world.settings, request.target) {
            let sweep = Sweep { filter, marks: &mut scratch.marks, mark };
            removed.push(filters::prepare(filter, world, request, sweep));
        }
    }
    scratch.rows.clear();
    scratch.rows.extend((0u32..).zip(&scratch.marks).filter(|(_, mark)| **mark == 0).map(|(row, _)| row));
    let (taken, top) = match world.settings.driver {
        _ if scratch.rows.is_empty() => (None, Vec::new()),
        Driver::Chance => by_chance(world, request, scratch),
        Driver::Filter | Driver::Caching => by_weight(world, request, scratch),
    };
    let nearest = if taken.is_none() { nearest(world, request) } else { Vec::new() };
    let chosen = taken.map(|row| Chosen { host_id: world.snapshot.ids[row], name: world.snapshot.names[row].clone() });
    let left = count(scratch.rows.len());
    let name = chosen.as_ref().map(|chosen| chosen.name.clone());
    Choice { chosen, reasons: Reasons { hosts: count(hosts), filters: removed, left, top, nearest, chosen: name } }
}

fn count(hosts: usize) -> u32 {
    u32::try_from(hosts).unwrap_or(u32::MAX)
}

fn by_chance(world: &World<'_>, request: &Request<'_>, scratch: &Scratch) -> (Option<usize>, Vec<Weighed>) {
    let row = scratch.rows[pick(request.seed, scratch.rows.len())] as usize;
    let weighed = Weighed { host: world.snapshot.names[row].clone(), weight: 0.0, parts: Vec::new() };
    (Some(row), vec![weighed])
}

fn by_weight(world: &World<'_>, request: &Request<'_>, scratch: &mut Scratch) -> (Option<usize>, Vec<Weighed>) {
    scratch.scores.clear();
    scratch.scores.resize(scratch.rows.len(), 0.0);
    let mut scales = [None; Weigher::ALL.len()];
    for (scale, weigher) in scales.iter_mut().zip(Weigher::ALL) {
        let multiplier = world.settings.multiplier(weigher);
        if multiplier != 0.0 {
            let add = Add { rows: &scratch.rows, raw: &mut scratch.raw, scores: &mut scratch.scores, multiplier };
            *scale = weighers::prepare(weigher, world, request, add);
        }
    }
    let subset = world.settings.host_subset_size.clamp(1, scratch.rows.len());
    let best = best(&scratch.scores, subset.max(SHOWN));
    let rows: Vec<u32> = best.iter().map(|place| scratch.rows[*place]).collect();
    let mut top: Vec<Weighed> = best
        .iter()
        .zip(&rows)
        .take(SHOWN)
        .map(|(place, row)| Weighed {
            host: world.snapshot.names[*row as usize].clone(),
            weight: scratch.scores[*place],
            parts: Vec::with_capacity(Weigher::ALL.len()),
        })
        .collect();
    for (scale, weigher) in scales.into_iter().zip(Weigher::ALL) {
        if let Some(scale) = scale {
            weighers::prepare(weigher, world, request, Explain { weigher, scale, rows: &rows, top: &mut top });
        }
    }
    (Some(rows[pick(request.seed, subset)] as usize), top)
}

/// Chance that is the same for the same request.
fn pick(seed: u64, of: usize) -> usize {
    // The finalizer of SplitMix64, so that seeds which are near each other spread.
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) % of.max(1) as u64) as usize
}

/// The places of the greatest scores, the greatest first; of equals the first.
fn best(scores: &[f64], most: usize) -> Vec<usize> {
    let mut best: Vec<usize> = Vec::with_capacity(most + 1);
    let mut least = f64::NEG_INFINITY;
    for (place, score) in scores.iter().enumerate() {
        if best.len() == most && *score <= least {
            continue;
        }
        let at = best.partition_point(|other| scores[*other] >= *score);
        best.insert(at, place);
        best.truncate(most);
        least = best.last().map_or(f64::NEG_INFINITY, |last| scores[*last]);
    }
    best
}

/// How a weigher's measures become weights: minus the first, times the second.
type Scale = (f64, f64);

/// Adds a weigher's weights to the scores.
struct Add<'a> {
    rows: &'a [u32],
    raw: &'a mut Vec<f64>,
    scores: &'a mut [f64],
    multiplier: f64,
}

impl weighers::Visit for Add<'_> {
    type Output = Option<Scale>;

    fn visit<M: Measure>(self, measure: Option<M>) -> Option<Scale> {
        let measure = measure?;
        let (least, span) = match M::RANGE {
            Range::Unit => (0.0, 1.0),
            Range::Found => {
                self.raw.clear();
                let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
                self.raw.extend(self.rows.iter().map(|row| {
                    let raw = measure.raw(*row as usize);
                    least = if raw < least { raw } else { least };
                    greatest = if raw > greatest { raw } else { greatest };
                    raw
                }));
                (least, greatest - least)
            }
        };
        let factor = if span > 0.0 { self.multiplier / span } else { 0.0 };
        match M::RANGE {
            _ if factor == 0.0 => {}
            Range::Unit => {
                self.scores.iter_mut().zip(self.rows).for_each(|(score, row)| *score += measure.raw(*row as usize) * factor);
            }
            Range::Found => self.scores.iter_mut().zip(&*self.raw).for_each(|(score, raw)| *score += (raw - least) * factor),
        }
        Some((least, factor))
    }
}

/// Says of the best hosts what a weigher gave them.
struct Explain<'a> {
    weigher: Weigher,
    scale: Scale,
    rows: &'a [u32],
    top: &'a mut [Weighed],
}

impl weighers::Visit for Explain<'_> {
    type Output = ();

    fn visit<M: Measure>(self, measure: Option<M>) {
        let Some(measure) = measure else { return };
        let (least, factor) = self.scale;
        for (weighed, row) in self.top.iter_mut().zip(self.rows) {
            let raw = measure.raw(*row as usize);
            weighed.parts.push(Part { weigher: self.weigher.name().into(), raw, weight: (raw - least) * factor });
        }
    }
}

/// Of the hosts that fail one filter only: how many for each filter, and what the nearest lack. This
/// asks all filters of all hosts, which a refusal is worth.
fn nearest(world: &World<'_>, request: &Request<'_>) -> Vec<NearMiss> {
    let mut failures = vec![0u8; world.snapshot.len()];
    for filter in Filter::ALL {
        filters::prepare(filter, world, request, CountFailures { failures: &mut failures });
    }
    let of = |filter| filters::prepare(filter, world, request, OnlyFailure { filter, failures: &failures });
    Filter::ALL.into_iter().filter_map(of).collect()
}

/// Counts the filters that each host fails.
struct CountFailures<'a> {
    failures: &'a mut [u8],
}

impl filters::Visit for CountFailures<'_> {
    type Output = ();

    fn visit<C: Check>(self, check: Option<C>) {
        let Some(check) = check else { return };
        self.failures.iter_mut().enumerate().for_each(|(row, count)| *count += u8::from(!check.passes(row)));
    }
}

/// The hosts that fail this filter and no other.
struct OnlyFailure<'a> {
    filter: Filter,
    failures: &'a [u8],
}

impl filters::Visit for OnlyFailure<'_> {
    type Output = Option<NearMiss>;

    fn visit<C: Check>(self, check: Option<C>) -> Option<NearMiss> {
        let check = check?;
        let (mut hosts, mut least) = (0, None::<(Shortfall, u32)>);
        for row in (0..self.failures.len()).filter(|row| self.failures[*row] == 1 && !check.passes(*row)) {
            hosts += 1;
            let Some(lack) = check.shortfall(row) else { continue };
            match &mut least {
                Some((known, same)) if *known == lack => *same += 1,
                Some((known, _)) if *known < lack => {}
                nearest => *nearest = Some((lack, 1)),
            }
        }
        (hosts > 0).then(|| NearMiss { filter: self.filter.name().into(), hosts, shortfall: least })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostInput;
    use crate::locality::Purpose;
    use crate::test_hosts::{flavor, input, request, with_world};

    /// What filters removed; those that removed none are left out.
    fn removing(reasons: &Reasons) -> Vec<(&str, u32)> {
        let removed = reasons.filters.iter().filter(|removed| removed.hosts > 0);
        removed.map(|removed| (removed.filter.as_ref(), removed.hosts)).collect()
    }

    fn ask(inputs: Vec<HostInput>, request: &Request<'_>) -> Choice {
        with_world(inputs, &[], |world| choose(world, request, &mut Scratch::default()))
    }

    #[test]
    fn the_host_with_most_free_memory_wins_and_equals_go_by_name() {
        let flavor = flavor(1, 512);
        let choice = ask(vec![input("c", 8192), input("b", 8192), input("a", 4096)], &request(&flavor));
        let names: Vec<_> = choice.reasons.top.iter().map(|weighed| weighed.host.as_str()).collect();
        assert_eq!(names, ["b", "c", "a"]);
        assert_eq!(choice.chosen.unwrap().name.as_str(), "b");
    }

    #[test]
    fn a_refusal_counts_what_each_filter_removed_and_names_the_nearest_miss() {
        let flavor = flavor(1, 2560);
        let choice = ask(vec![input("a", 1024), input("b", 2048)], &request(&flavor));
        assert_eq!(choice.chosen, None);
        assert_eq!(removing(&choice.reasons), [("RamFilter", 2)]);
        let refusal = choice.reasons.refusal();
        assert_eq!(refusal, "No valid host was found. RamFilter removed 2 hosts (nearest miss: 512 MiB short).");
    }

    #[test]
    fn the_nearest_are_those_that_lack_one_thing() {
        let flavor = flavor(9, 2560);
        let mut wide = input("wide", 2048);
        wide.host.resources.as_mut().unwrap().vcpus = 16;
        let choice = ask(vec![input("small", 1024), input("narrow", 4096), wide], &request(&flavor));
        assert_eq!(removing(&choice.reasons), [("CoreFilter", 2), ("RamFilter", 1)]);
        let refusal = choice.reasons.refusal();
        assert!(refusal.ends_with("Nearest: 1 host short of 1 vCPU only; 1 host short of 512 MiB only."), "{refusal}");
    }

    #[test]
    fn no_host_at_all_is_said_plainly() {
        let flavor = flavor(1, 1);
        assert!(ask(Vec::new(), &request(&flavor)).reasons.refusal().contains("No compute host has joined"));
    }

    #[test]
    fn failed_builds_outweigh_room_and_health_outweighs_load() {
        let flavor = flavor(1, 1);
        let failing = HostInput { failed_builds: 3, ..input("big", 9000) };
        assert_eq!(ask(vec![failing, input("small", 100)], &request(&flavor)).chosen.unwrap().name.as_str(), "small");
        let slow = HostInput { storage_health: 0.2, ..input("big", 9000) };
        assert_eq!(ask(vec![slow, input("small", 100)], &request(&flavor)).chosen.unwrap().name.as_str(), "small");
    }

    #[test]
    fn locality_decides_between_equals_and_says_so() {
        let flavor = flavor(1, 1);
        let settings = Settings::default();
        let mut snapshot = Snapshot::new(vec![input("b", 100), input("a", 100)], &[], &settings);
        // By their names.
        snapshot.set_nearness("vms", Purpose::Disk, vec![0.3, 0.9]);
        snapshot.set_nearness("images", Purpose::Parent, vec![0.4, 0.5]);
        let request = Request { disk_pool: Some("vms"), parent_pool: Some("images"), ..request(&flavor) };
        let choice = with_world(Vec::new(), &[], |world| {
            choose(&World { snapshot: &snapshot, ..*world }, &request, &mut Scratch::default())
        });
        let best = &choice.reasons.top[0];
        assert_eq!(best.host.as_str(), "b");
        let part = best.parts.iter().find(|part| part.weigher == "StorageLocalityWeigher").unwrap();
        assert!((part.raw - 0.7).abs() < 1e-6 && (part.weight - 0.7).abs() < 1e-6, "{part:?}");
    }

    #[test]
    fn chance_takes_any_and_the_same_seed_takes_the_same() {
        let flavor = flavor(1, 1);
        let settings = Settings { driver: Driver::Chance, ..Settings::default() };
        let snapshot = Snapshot::new((0..10).map(|host| input(&format!("h{host}"), 100)).collect(), &[], &settings);
        let now = Timestamp::from_micros(0);
        let world = World { snapshot: &snapshot, now, down_after: Duration::from_secs(1), pool: None, settings: &settings };
        let chosen = |seed| {
            let request = Request { seed, ..request(&flavor) };
            choose(&world, &request, &mut Scratch::default()).chosen.unwrap().name
        };
        let mut all: Vec<_> = (0..200).map(chosen).collect();
        assert_eq!(all[7], chosen(7));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 10);
    }

    #[test]
    fn the_best_are_found_in_order() {
        assert_eq!(best(&[1.0, 3.0, 2.0, 3.0, 0.0], 3), [1, 3, 2]);
        assert_eq!(best(&[1.0], 3), [0]);
    }
}

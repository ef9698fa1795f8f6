//! The choice: every filter in order, then the sum of the normalized weights.

use std::time::Duration;

use cuttle_model::capacity::{PoolAccount, Usage};
use cuttle_model::clock::Timestamp;
use cuttle_model::flavor::Flavor;
use cuttle_model::host::{Host, HostName};
use cuttle_model::ids::HostId;

use crate::filters::{Filter, Verdict};
use crate::weighers::Weigher;

/// A host and what is claimed of it.
#[derive(Debug, Clone, Copy)]
pub struct HostView<'a> {
    pub host: &'a Host,
    pub usage: Usage,
}

/// What is known of the cloud at the time of the choice.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    pub hosts: &'a [HostView<'a>],
    pub now: Timestamp,
    /// A host that was not heard of for so long takes no instance.
    pub down_after: Duration,
    /// The pool that the disk will be in; `None` where it could not be asked.
    pub pool: Option<PoolAccount>,
}

/// What is to be placed.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub flavor: &'a Flavor,
    /// Bytes that the instance's disks may grow to.
    pub disk_bytes: u64,
    /// Hosts that were tried before.
    pub excluded: &'a [HostId],
}

/// The result of a choice, with its reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Hosts that can take the instance, the best first.
    pub ranked: Vec<Ranked>,
    /// What each filter removed, in the order in which the filters ran. One that removed nothing is
    /// there too.
    pub removed: Vec<Removed>,
}

/// A host that can take the instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    pub host_id: HostId,
    pub name: HostName,
    /// The sum of the weights.
    pub weight: f64,
    /// Each weigher's part.
    pub parts: Vec<(&'static str, f64)>,
}

/// What a filter removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    pub filter: &'static str,
    pub count: usize,
    /// The least that a removed host lacks.
    pub nearest_miss: Option<Shortfall>,
}

/// How much is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shortfall {
    pub amount: u64,
    pub unit: &'static str,
}

/// Filters, then ranks. Hosts of equal weight keep the order of their names, so that the same
/// question has the same answer.
pub fn choose(world: &World<'_>, request: &Request<'_>) -> Choice {
    let mut left: Vec<&HostView<'_>> = world.hosts.iter().collect();
    let mut removed = Vec::new();
    for filter in Filter::ALL {
        let before = left.len();
        let mut nearest_miss: Option<Shortfall> = None;
        left.retain(|host| match filter.check(host, request, world) {
            Verdict::Pass => true,
            Verdict::Fail { shortfall } => {
                nearest_miss = match (nearest_miss, shortfall) {
                    (Some(known), Some(new)) => Some(known.min(new)),
                    (known, new) => known.or(new),
                };
                false
            }
        });
        removed.push(Removed { filter: filter.name(), count: before - left.len(), nearest_miss });
    }
    Choice { ranked: rank(&left), removed }
}

fn rank(hosts: &[&HostView<'_>]) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = hosts
        .iter()
        .map(|view| Ranked { host_id: view.host.id, name: view.host.name.clone(), weight: 0.0, parts: Vec::new() })
        .collect();
    for weigher in Weigher::ALL {
        let raw: Vec<f64> = hosts.iter().map(|host| weigher.raw(host)).collect();
        for (host, part) in ranked.iter_mut().zip(normalized(&raw)) {
            host.weight += part;
            host.parts.push((weigher.name(), part));
        }
    }
    ranked.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.name.cmp(&b.name)));
    ranked
}

/// From 0 for the least to 1 for the greatest; all 0 where they are equal, so that a weigher that
/// cannot tell hosts apart has no say.
fn normalized(raw: &[f64]) -> Vec<f64> {
    let least = raw.iter().copied().fold(f64::INFINITY, f64::min);
    let span = raw.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least;
    raw.iter().map(|value| if span > 0.0 { (value - least) / span } else { 0.0 }).collect()
}

impl Choice {
    /// Why no host is left, in one sentence for the user.
    pub fn refusal(&self) -> String {
        if self.removed.iter().all(|removed| removed.count == 0) {
            return "No valid host was found. No compute host has joined yet.".to_owned();
        }
        let reasons: Vec<String> = self.removed.iter().filter(|removed| removed.count > 0).map(Removed::reason).collect();
        format!("No valid host was found. {}.", reasons.join("; "))
    }
}

impl Removed {
    fn reason(&self) -> String {
        let hosts = if self.count == 1 { "host" } else { "hosts" };
        let missing = self.nearest_miss.map(|miss| format!(" (nearest miss: {} {} short)", miss.amount, miss.unit));
        format!("{} removed {} {hosts}{}", self.filter, self.count, missing.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_hosts::{flavor, host};

    const DOWN_AFTER: Duration = Duration::from_secs(10);

    fn world<'a>(hosts: &'a [HostView<'a>]) -> World<'a> {
        World { hosts, now: Timestamp::from_micros(0), down_after: DOWN_AFTER, pool: None }
    }

    #[test]
    fn the_host_with_most_free_memory_wins_and_equals_go_by_name() {
        let (a, b, c) = (host("a", 4096), host("b", 8192), host("c", 8192));
        let views = [&c, &b, &a].map(|host| HostView { host, usage: Usage::default() });
        let flavor = flavor(1, 512);
        let choice = choose(&world(&views), &Request { flavor: &flavor, disk_bytes: 0, excluded: &[] });
        let names: Vec<_> = choice.ranked.iter().map(|ranked| ranked.name.as_str().to_owned()).collect();
        assert_eq!(names, ["b", "c", "a"]);
    }

    #[test]
    fn a_refusal_counts_what_each_filter_removed_and_names_the_nearest_miss() {
        let (a, b) = (host("a", 1024), host("b", 2048));
        let views = [&a, &b].map(|host| HostView { host, usage: Usage::default() });
        let flavor = flavor(1, 2560);
        let choice = choose(&world(&views), &Request { flavor: &flavor, disk_bytes: 0, excluded: &[] });
        assert!(choice.ranked.is_empty());
        assert_eq!(choice.refusal(), "No valid host was found. RamFilter removed 2 hosts (nearest miss: 512 MiB short).");
    }

    #[test]
    fn no_host_at_all_is_said_plainly() {
        let flavor = flavor(1, 1);
        let choice = choose(&world(&[]), &Request { flavor: &flavor, disk_bytes: 0, excluded: &[] });
        assert!(choice.refusal().contains("No compute host has joined"));
    }

    proptest::proptest! {
        #[test]
        fn every_ranked_host_fits_and_none_that_fits_is_lost(
            rams in proptest::collection::vec(0u64..10_000, 0..20), used in 0u64..5_000, wanted in 1u64..10_000,
        ) {
            let hosts: Vec<Host> = rams.iter().enumerate().map(|(i, ram)| host(&format!("h{i}"), *ram)).collect();
            let usage = Usage { instances: 1, vcpus: 0, ram_mib: used };
            let views: Vec<_> = hosts.iter().map(|host| HostView { host, usage }).collect();
            let flavor = flavor(1, wanted);
            let choice = choose(&world(&views), &Request { flavor: &flavor, disk_bytes: 0, excluded: &[] });
            let fits = rams.iter().filter(|ram| used + wanted <= **ram).count();
            proptest::prop_assert_eq!(choice.ranked.len(), fits);
            let removed: usize = choice.removed.iter().map(|removed| removed.count).sum();
            proptest::prop_assert_eq!(removed + fits, rams.len());
        }
    }
}

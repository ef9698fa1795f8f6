//! Properties of choices, over clouds made from a seed: a choice never overcommits, is the same each
//! time, and every filter's reason is true.
//!
//! The seeds are fixed, so that a failure is the same everywhere; the truth is told by a second, plain
//! reading of what each filter means, host by host.

use std::collections::BTreeMap;

use cuttle_model::aggregate::Aggregate;
use cuttle_model::capacity::Usage;
use cuttle_model::clock::Timestamp;
use cuttle_model::flavor::Flavor;
use cuttle_model::host::Administrative;
use cuttle_model::ids::{HostId, ProjectId};
use cuttle_model::server_group::GroupPolicy;
use uuid::Uuid;

use crate::filters::{Filter, One, prepare};
use crate::test_hosts::{aggregate, flavor, host, texts};
use crate::{Choice, Group, HostInput, Request, Scratch, Settings, Snapshot, Target, World, choose};

/// Numbers from a seed (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, number: u64) -> bool {
        self.below(number) == 0
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

/// A cloud, and what is asked of it.
struct Case {
    inputs: Vec<HostInput>,
    aggregates: Vec<Aggregate>,
    settings: Settings,
    flavor: Flavor,
    properties: BTreeMap<String, String>,
    zone: Option<&'static str>,
    target: Target,
    excluded: Vec<HostId>,
    same_host: Option<Vec<HostId>>,
    different_host: Vec<HostId>,
    group: Option<Group>,
    seed: u64,
}

const PROJECT: ProjectId = ProjectId::from_uuid(Uuid::from_u128(7));

fn case(seed: u64) -> Case {
    let mut numbers = Numbers(seed);
    let n = &mut numbers;
    let inputs: Vec<HostInput> = (0..n.below(30)).map(|index| random_host(n, index)).collect();
    let ids: Vec<HostId> = inputs.iter().map(|input| input.host.id).collect();
    let some = |n: &mut Numbers, one_in: u64| -> Vec<HostId> { ids.iter().copied().filter(|_| n.one_in(one_in)).collect() };
    let kinds: [&[(&str, &str)]; 6] = [
        &[("availability_zone", "east")],
        &[("ssd", "true"), ("max_instances_per_host", "3")],
        &[("filter_tenant_id", "00000000000000000000000000000009")],
        &[("filter_tenant_id", "00000000000000000000000000000007")],
        &[("os_distro", "debian,windows")],
        &[("cpu_allocation_ratio", "2.0"), ("ram_allocation_ratio", "0.5")],
    ];
    let aggregates =
        kinds.iter().map(|metadata| Aggregate { hosts: some(n, 3), ..aggregate(&format!("{metadata:?}"), metadata) }).collect();
    let mut flavor = flavor(1 + n.below(6) as u32, 1 << n.below(13));
    let specs = [("ssd", "true"), ("capabilities:vcpus_total", ">= 8"), ("capabilities:gpu", "1"), ("hw:cpu_policy", "shared")];
    flavor.extra_specs = if n.one_in(3) { texts(&[n.of(&specs)]) } else { BTreeMap::new() };
    let properties = match n.below(4) {
        0 => texts(&[("hw_architecture", n.of(&["x86_64", "aarch64"]))]),
        1 => texts(&[("os_distro", n.of(&["debian", "plan9"]))]),
        _ => BTreeMap::new(),
    };
    let named = ids.first().copied().unwrap_or(HostId::from_uuid(Uuid::nil()));
    let policy = n.of(&GroupPolicy::ALL);
    let members: Vec<_> = some(n, 4).into_iter().map(|host| (host, 1 + n.below(3) as u32)).collect();
    let max_per_host = n.one_in(2).then(|| 1 + n.below(3) as u32);
    let mut settings = Settings { max_io_ops_per_host: 3, max_instances_per_host: 6, ..Settings::default() };
    if n.one_in(2) {
        settings.enabled_filters = Filter::ALL.to_vec();
    }
    settings.host_subset_size = n.of(&[1, 1, 3]);
    Case {
        zone: n.of(&[None, None, Some("east"), Some("nova")]),
        target: n.of(&[Target::Any, Target::Any, Target::Any, Target::Asked(named), Target::Forced(named)]),
        excluded: if n.one_in(3) { some(n, 5) } else { Vec::new() },
        same_host: n.one_in(6).then(|| some(n, 2)),
        different_host: if n.one_in(6) { some(n, 4) } else { Vec::new() },
        group: n.one_in(2).then_some(Group { policy, max_per_host, members }),
        seed: n.next(),
        inputs,
        aggregates,
        settings,
        flavor,
        properties,
    }
}

fn random_host(n: &mut Numbers, index: u64) -> HostInput {
    let mut host = host(&format!("h{index}"), 1 + n.below(8192));
    if let Some(resources) = &mut host.resources {
        resources.vcpus = 1 + n.below(16) as u32;
        resources.reserved_ram_mib = n.of(&[0, 512]);
        resources.cpu_ratio_milli = n.of(&[1000, 1500, 16_000]);
        resources.ram_ratio_milli = n.of(&[1000, 1500]);
        resources.architecture = n.of(&["x86_64", "x86_64", "aarch64"]).to_owned();
    }
    if n.one_in(10) {
        host.administrative = Administrative::Disabled { reason: None };
    }
    host.last_seen_at = n.of(&[Some(0), Some(0), Some(0), Some(-20_000_000), None]).map(Timestamp::from_micros);
    host.resources = host.resources.filter(|_| !n.one_in(15));
    let usage = Usage { instances: n.below(8), vcpus: n.below(20), ram_mib: n.below(6000) };
    HostInput {
        io_ops: n.below(5) as u32,
        failed_builds: n.of(&[0, 0, 3]),
        storage_health: n.of(&[1.0, 1.0, 0.5, 0.0]),
        ..HostInput::new(host, usage)
    }
}

impl Case {
    fn ask<T>(&self, then: impl FnOnce(&World<'_>, &Request<'_>) -> T) -> T {
        let snapshot = Snapshot::new(self.inputs.clone(), &self.aggregates, &self.settings);
        let world = World {
            snapshot: &snapshot,
            now: Timestamp::from_micros(0),
            down_after: std::time::Duration::from_secs(10),
            pool: None,
            settings: &self.settings,
        };
        let request = Request {
            image_properties: &self.properties,
            zone: self.zone,
            target: self.target,
            excluded: &self.excluded,
            same_host: self.same_host.as_deref(),
            different_host: &self.different_host,
            group: self.group.as_ref(),
            seed: self.seed,
            ..Request::new(PROJECT, &self.flavor)
        };
        then(&world, &request)
    }

    /// The metadata of the host's aggregates that has this key.
    fn metadata(&self, host: HostId, key: &str) -> Vec<&str> {
        let of = self.aggregates.iter().filter(|aggregate| aggregate.hosts.contains(&host));
        of.filter_map(|aggregate| aggregate.metadata.get(key)).flat_map(|value| value.split(',')).collect()
    }

    /// Virtual CPUs and memory that may be claimed in all, and how many instances.
    fn limits(&self, input: &HostInput) -> (u64, u64, u64) {
        let Some(resources) = &input.host.resources else { return (0, 0, 0) };
        let is_scaled = !self.metadata(input.host.id, "cpu_allocation_ratio").is_empty();
        let ram = resources.ram_mib.saturating_sub(resources.reserved_ram_mib);
        let few = !self.metadata(input.host.id, "max_instances_per_host").is_empty();
        let (vcpus, ram_mib) = match is_scaled {
            true => (u64::from(resources.vcpus) * 2, ram / 2),
            false => (resources.vcpu_limit(), resources.ram_limit_mib()),
        };
        (vcpus, ram_mib, if few { 3 } else { 6 })
    }

    /// What the filter means, said plainly. `None`: it is not in use.
    fn lets_pass(&self, filter: Filter, input: &HostInput) -> Option<bool> {
        let id = input.host.id;
        let policy = !matches!(self.target, Target::Forced(_));
        let on = filter.is_always_on() || self.settings.enabled_filters.contains(&filter);
        let (vcpus, ram_mib, instances) = self.limits(input);
        let members = |policy| self.group.as_ref().filter(|group| group.policy == policy);
        let of = |group: &Group| group.members.iter().find(|(host, _)| *host == id).map_or(0, |(_, members)| *members);
        let asked = |key: &str| self.flavor.extra_specs.get(key);
        let is_up = |input: &HostInput| {
            let heard = input.host.last_seen_at.is_some_and(|seen| seen.as_micros() >= -10_000_000);
            heard && input.host.administrative == Administrative::Enabled && input.host.resources.is_some()
        };
        let verdict = match filter {
            Filter::Compute => is_up(input),
            Filter::RequestedHost => match self.target {
                Target::Any => true,
                Target::Asked(host) | Target::Forced(host) => host == id,
            },
            Filter::Retry => !self.excluded.contains(&id),
            // Where nobody reaches storage, nobody is to blame.
            Filter::StorageHealth => {
                input.storage_health != 0.0 || !self.inputs.iter().any(|other| is_up(other) && other.storage_health != 0.0)
            }
            Filter::Core => input.usage.vcpus + u64::from(self.flavor.vcpus) <= vcpus.max(input.usage.vcpus),
            Filter::Ram => input.usage.ram_mib + self.flavor.ram_mib <= ram_mib.max(input.usage.ram_mib),
            Filter::Disk => true,
            Filter::NumInstances => {
                input.usage.instances < instances.max(if input.host.resources.is_none() { self.most(id) } else { 0 })
            }
            Filter::IoOps => input.io_ops < 3,
            Filter::AvailabilityZone => {
                let zone = self.metadata(id, "availability_zone").first().copied().unwrap_or("nova");
                self.zone.is_none_or(|wanted| wanted == zone)
            }
            Filter::AggregateMultiTenancyIsolation => {
                let named = self.metadata(id, "filter_tenant_id");
                named.is_empty() || named.iter().any(|project| project.ends_with('7'))
            }
            Filter::ImageProperties => self
                .properties
                .get("hw_architecture")
                .is_none_or(|wanted| input.host.resources.as_ref().is_some_and(|resources| resources.architecture == *wanted)),
            Filter::AggregateImagePropertiesIsolation => {
                let allowed = self.metadata(id, "os_distro");
                self.properties.get("os_distro").is_none_or(|distro| allowed.is_empty() || allowed.contains(&distro.as_str()))
            }
            Filter::AggregateInstanceExtraSpecs => asked("ssd").is_none() || !self.metadata(id, "ssd").is_empty(),
            Filter::ComputeCapabilities => {
                let enough = input.host.resources.as_ref().is_some_and(|resources| resources.vcpus >= 8);
                asked("capabilities:gpu").is_none() && (asked("capabilities:vcpus_total").is_none() || enough)
            }
            Filter::SameHost => self.same_host.as_ref().is_none_or(|hosts| hosts.contains(&id)),
            Filter::DifferentHost => !self.different_host.contains(&id),
            Filter::ServerGroupAffinity => {
                members(GroupPolicy::Affinity).is_none_or(|group| group.members.is_empty() || of(group) > 0)
            }
            Filter::ServerGroupAntiAffinity => {
                members(GroupPolicy::AntiAffinity).is_none_or(|group| of(group) < group.max_per_host.unwrap_or(1))
            }
        };
        let forced = filter.is_always_on() || matches!(filter, Filter::StorageHealth | Filter::Disk);
        (on && (policy || forced)).then_some(verdict)
    }

    /// How many instances a host may have of which nothing else is known.
    fn most(&self, host: HostId) -> u64 {
        if self.metadata(host, "max_instances_per_host").is_empty() { 6 } else { 3 }
    }
}

const CASES: u64 = 1000;

#[test]
fn every_filters_reason_is_true() {
    let (mut chosen, mut refused) = (0, 0);
    for seed in 0..CASES {
        let case = case(seed);
        let choice = case.ask(|world, request| {
            for (row, id) in world.snapshot.ids.iter().enumerate() {
                let input = case.inputs.iter().find(|input| input.host.id == *id).unwrap();
                for filter in Filter::ALL {
                    let told = prepare(filter, world, request, One { row });
                    let truth = case.lets_pass(filter, input).unwrap_or(true);
                    assert_eq!(told.is_ok(), truth, "seed {seed}: {} of {}", filter.name(), input.host.name);
                    if let Err(Some(lack)) = told {
                        let (vcpus, ram_mib, _) = case.limits(input);
                        let (limit, used, wanted) = match filter {
                            Filter::Core => (vcpus, input.usage.vcpus, u64::from(case.flavor.vcpus)),
                            _ => (ram_mib, input.usage.ram_mib, case.flavor.ram_mib),
                        };
                        assert_eq!(lack.amount, wanted - limit.saturating_sub(used), "seed {seed}: {}", filter.name());
                    }
                }
            }
            choose(world, request, &mut Scratch::default())
        });
        counts_are_true(&case, &choice, seed);
        if choice.chosen.is_some() { chosen += 1 } else { refused += 1 }
    }
    assert!(chosen > CASES / 10 && refused > CASES / 10, "{chosen} chosen, {refused} refused: the cases are one-sided");
}

/// Each host is counted by the first filter that refuses it, and by no other.
fn counts_are_true(case: &Case, choice: &Choice, seed: u64) {
    let reasons = &choice.reasons;
    let refusing = |input: &HostInput| -> Vec<&'static str> {
        Filter::ALL.into_iter().filter(|filter| case.lets_pass(*filter, input) == Some(false)).map(Filter::name).collect()
    };
    let all: Vec<Vec<&str>> = case.inputs.iter().map(refusing).collect();
    for removed in &reasons.filters {
        let first = all.iter().filter(|names| names.first() == Some(&&*removed.filter)).count();
        assert_eq!(removed.hosts as usize, first, "seed {seed}: {}", removed.filter);
    }
    assert_eq!(reasons.left as usize, all.iter().filter(|names| names.is_empty()).count(), "seed {seed}");
    let removed: u32 = reasons.filters.iter().map(|removed| removed.hosts).sum();
    assert_eq!(removed + reasons.left, reasons.hosts, "seed {seed}");
    for near in &reasons.nearest {
        let only = all.iter().filter(|names| **names == [&*near.filter]).count();
        assert_eq!(near.hosts as usize, only, "seed {seed}: {} only", near.filter);
    }
    assert_eq!(choice.chosen.is_some(), reasons.left > 0, "seed {seed}");
}

#[test]
fn a_choice_never_overcommits_and_is_the_same_each_time() {
    let mut scratch = Scratch::default();
    for seed in 0..CASES {
        let case = case(seed);
        // Another order of the same hosts, and memory that others have used.
        let mut turned = self::case(seed);
        turned.inputs.reverse();
        let choice = case.ask(|world, request| choose(world, request, &mut scratch));
        assert_eq!(choice, turned.ask(|world, request| choose(world, request, &mut Scratch::default())), "seed {seed}");
        let Some(chosen) = choice.chosen else { continue };
        let input = case.inputs.iter().find(|input| input.host.id == chosen.host_id).unwrap();
        let (vcpus, ram_mib, _) = case.limits(input);
        assert!(input.usage.vcpus + u64::from(case.flavor.vcpus) <= vcpus, "seed {seed}");
        assert!(input.usage.ram_mib + case.flavor.ram_mib <= ram_mib, "seed {seed}");
        let sum: f64 = choice.reasons.top[0].parts.iter().map(|part| part.weight).sum();
        assert!((sum - choice.reasons.top[0].weight).abs() < 1e-6, "seed {seed}: the parts make up the weight");
    }
}

#[test]
fn claims_one_after_the_other_end_at_the_limit() {
    for seed in 0..200 {
        let case = Case { target: Target::Any, group: None, ..case(seed) };
        let mut snapshot = Snapshot::new(case.inputs.clone(), &case.aggregates, &case.settings);
        let mut scratch = Scratch::default();
        for _ in 0..500 {
            let chosen =
                case.ask(|world, request| choose(&World { snapshot: &snapshot, ..*world }, request, &mut scratch).chosen);
            let Some(chosen) = chosen else { break };
            snapshot.claim(chosen.host_id, case.flavor.vcpus.into(), case.flavor.ram_mib);
            let (used, limits) =
                (snapshot.usage(chosen.host_id).unwrap(), snapshot.limits(chosen.host_id, &case.settings).unwrap());
            assert!(used.vcpus <= limits.vcpus && used.ram_mib <= limits.ram_mib, "seed {seed}");
        }
    }
}

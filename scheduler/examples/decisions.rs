//! Measures decisions: `tests/bench placement` runs this, built for release.
//!
//! Every filter and every weigher is on and has something to say: zones, aggregates with metadata, a
//! flavor with extra specs, an image with properties, a server group, hints, storage's measures. The
//! claim of each choice is counted on the host, so that no two decisions see the same hosts. One thread; the rate is
//! by the second of its processor time, so that what else runs on the machine does not count. Making the hosts is in it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cuttle_model::aggregate::Aggregate;
use cuttle_model::capacity::Usage;
use cuttle_model::clock::Timestamp;
use cuttle_model::crush::{CrushBucket, CrushMap, PgServers, Redundancy};
use cuttle_model::flavor::{Flavor, FlavorId};
use cuttle_model::host::{Administrative, Host, HostResources, VirtType};
use cuttle_model::ids::{AggregateId, HostId, ProjectId};
use cuttle_model::server_group::GroupPolicy;
use cuttle_scheduler::{
    Filter, Group, HostInput, Nearness, Purpose, Request, Scratch, Settings, Snapshot, Spread, Standing, Tree, World, choose,
};
use uuid::Uuid;

const PROJECT: ProjectId = ProjectId::from_uuid(Uuid::from_u128(7));
const ROUNDS: usize = 20_000;

fn main() {
    println!("| hosts | request | p50 | p99 | greatest | decisions/s on one core |");
    println!("|---|---|---|---|---|---|");
    for hosts in [100, 1_000, 10_000] {
        for (name, wishes) in [("plain", false), ("all wishes", true)] {
            let rounds = if hosts > 5_000 { ROUNDS / 10 } else { ROUNDS };
            let before = processor_time();
            let (mut times, chosen) = measure(hosts, wishes, rounds);
            let spent = processor_time() - before;
            assert_eq!(chosen, rounds, "every decision finds a host");
            times.sort();
            let at = |share: f64| micros(times[((times.len() - 1) as f64 * share) as usize]);
            let rate = rounds as f64 / spent.as_secs_f64();
            println!("| {hosts} | {name} | {} | {} | {} | {rate:.0} |", at(0.5), at(0.99), at(1.0));
        }
    }
    nearness();
}

/// What it takes to follow a change of Ceph's map, and what a view of the hosts takes of it.
fn nearness() {
    println!("\n| hosts beside an OSD each | PGs of one pool | counting | working out | looking up for one view |");
    println!("|---|---|---|---|---|");
    for hosts in [1_000u32, 10_000] {
        let map = crush(hosts);
        let pgs: Vec<PgServers> = (0..hosts * 10).map(|pg| pg_of(pg, hosts)).collect();
        let begun = Instant::now();
        let tree = Tree::new(&map);
        let spread = Spread::new(&tree, Redundancy::Replicas, &pgs);
        let counted = begun.elapsed();
        let standing = |number| {
            let host = host(number).host;
            Standing { path: tree.find(host.name.as_str(), None), host: host.id, localizes: true }
        };
        let standings: Vec<Standing> = (0..hosts).map(standing).collect();
        let begun = Instant::now();
        let near = Nearness::new(&tree, [("vms", &spread), ("images", &spread)], &standings);
        let worked_out = begun.elapsed();
        let mut snapshot = Snapshot::new((0..hosts).map(host).collect(), &[], &Settings::default());
        let begun = Instant::now();
        snapshot.look_up(&near, &[("vms", Purpose::Disk), ("images", Purpose::Parent)]);
        let looked_up = begun.elapsed();
        println!("| {hosts} | {} | {} | {} | {} |", pgs.len(), micros(counted), micros(worked_out), micros(looked_up));
    }
}

/// Racks of forty hosts with an OSD each.
fn crush(hosts: u32) -> CrushMap {
    let levels = [(0, "osd"), (1, "host"), (3, "rack"), (11, "root")].map(|(id, name)| (id, name.to_owned())).to_vec();
    let bucket = |id: i64, name: String, level, items| CrushBucket { id, name, level, items };
    let racks = hosts.div_ceil(40);
    let in_rack = |rack: u32| (rack * 40..hosts.min(rack * 40 + 40)).map(i64::from);
    let mut buckets = vec![bucket(-1, "default".into(), 11, (0..racks).map(|rack| -2 - i64::from(rack)).collect())];
    buckets.extend(
        (0..racks).map(|rack| {
            bucket(-2 - i64::from(rack), format!("rack{rack}"), 3, in_rack(rack).map(|host| -100_000 - host).collect())
        }),
    );
    buckets.extend((0..hosts).map(|host| bucket(-100_000 - i64::from(host), format!("host{host:05}"), 1, vec![host.into()])));
    CrushMap { levels, buckets }
}

fn pg_of(number: u32, osds: u32) -> PgServers {
    let osd = |replica: u32| i64::from(number.wrapping_mul(2_654_435_761).wrapping_add(replica * 97_003) % osds);
    PgServers { pool_id: 1, acting: (0..3).map(osd).collect(), primary: Some(osd(0)) }
}

/// What this thread has had of a processor.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells how long a thread has run");
    let nanos = text.split(' ').next().and_then(|number| number.parse().ok()).expect("in nanoseconds");
    Duration::from_nanos(nanos)
}

fn micros(time: Duration) -> String {
    format!("{:.0} µs", time.as_secs_f64() * 1e6)
}

/// How long each decision took, and how many found a host.
fn measure(hosts: u32, wishes: bool, rounds: usize) -> (Vec<Duration>, usize) {
    let settings = Settings {
        enabled_filters: Filter::ALL.to_vec(),
        num_instances_weight_multiplier: -0.5,
        max_instances_per_host: u32::MAX,
        ..Settings::default()
    };
    let inputs: Vec<HostInput> = (0..hosts).map(host).collect();
    let ids: Vec<HostId> = inputs.iter().map(|input| input.host.id).collect();
    let mut snapshot = Snapshot::new(inputs, &aggregates(&ids), &settings);
    let mut flavor = flavor();
    let properties: BTreeMap<String, String> =
        [("hw_architecture", "x86_64"), ("os_distro", "debian")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let group = Group {
        policy: GroupPolicy::SoftAntiAffinity,
        max_per_host: None,
        members: ids.iter().step_by(100).map(|id| (*id, 1)).collect(),
    };
    for (pool, purpose, of) in [("vms", Purpose::Disk, 11), ("images", Purpose::Parent, 13)] {
        snapshot.set_nearness(pool, purpose, (0..hosts).map(|number| (number % of) as f32 / of as f32).collect());
    }
    let (excluded, different) = ([ids[0]], [ids[1], ids[2]]);
    if !wishes {
        flavor.extra_specs.clear();
    }
    let plain = Request { disk_pool: Some("vms"), parent_pool: Some("images"), ..Request::new(PROJECT, &flavor) };
    let request = match wishes {
        false => plain,
        true => Request {
            image_properties: &properties,
            zone: Some("zone1"),
            excluded: &excluded,
            different_host: &different,
            group: Some(&group),
            disk_bytes: 1 << 30,
            ..plain
        },
    };
    let mut scratch = Scratch::default();
    let (mut times, mut chosen) = (Vec::with_capacity(rounds), 0);
    for seed in 0..rounds {
        let world = World {
            snapshot: &snapshot,
            now: Timestamp::from_micros(0),
            down_after: Duration::from_secs(10),
            pool: None,
            settings: &settings,
        };
        let begun = Instant::now();
        let choice = choose(&world, &Request { seed: seed as u64, ..request }, &mut scratch);
        times.push(begun.elapsed());
        if let Some(host) = choice.chosen {
            chosen += 1;
            snapshot.claim(host.host_id, 1, 64);
        }
    }
    (times, chosen)
}

fn host(number: u32) -> HostInput {
    let name = format!("host{number:05}");
    let host = Host {
        id: HostId::from_uuid(Uuid::from_u128(u128::from(number) + 1)),
        name: name.parse().expect("a host name"),
        administrative: match number % 97 {
            0 => Administrative::Disabled { reason: None },
            _ => Administrative::Enabled,
        },
        resources: Some(HostResources {
            vcpus: 64 + number % 3 * 32,
            ram_mib: 1 << 22,
            reserved_ram_mib: 512,
            cpu_ratio_milli: 1_000_000,
            ram_ratio_milli: 1500,
            virt_type: VirtType::Kvm,
            libvirt_version: "11.3.0".to_owned(),
            hypervisor_version: "10.0.2".to_owned(),
            architecture: "x86_64".to_owned(),
            agent: Default::default(),
        }),
        boot_id: None,
        last_seen_at: Some(Timestamp::from_micros(0)),
        ceph_generation: 1,
        created_at: Timestamp::from_micros(0),
    };
    let usage = Usage { instances: u64::from(number % 7), vcpus: u64::from(number % 31), ram_mib: u64::from(number % 1013) * 64 };
    HostInput {
        io_ops: number % 3,
        failed_builds: u32::from(number % 50 == 3),
        storage_health: 1.0 - (number % 5) as f32 * 0.05,
        ..HostInput::new(host, usage)
    }
}

/// Three zones, and 24 aggregates across them.
fn aggregates(ids: &[HostId]) -> Vec<Aggregate> {
    let aggregate = |number: usize, metadata: &[(&str, &str)], hosts: Vec<HostId>| Aggregate {
        number: number as i64,
        id: AggregateId::from_uuid(Uuid::from_u128(number as u128)),
        name: format!("a{number}"),
        metadata: metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        hosts,
        created_at: Timestamp::from_micros(0),
        updated_at: None,
    };
    let every = |of: usize, rest: usize| -> Vec<HostId> {
        ids.iter().enumerate().filter(|(index, _)| index % of == rest).map(|(_, id)| *id).collect()
    };
    let zones = ["zone0", "zone1", "zone2"];
    let mut all: Vec<Aggregate> =
        (0..3).map(|zone| aggregate(zone, &[("availability_zone", zones[zone])], every(3, zone))).collect();
    all.extend((0..24).map(|rack| {
        let kind: &[(&str, &str)] = match rack % 4 {
            0 => &[("ssd", "true"), ("os_distro", "debian,windows")],
            1 => &[("ssd", "true"), ("filter_tenant_id", "00000000000000000000000000000009")],
            2 => &[("ssd", "true"), ("cpu_allocation_ratio", "900.0")],
            _ => &[("ssd", "true")],
        };
        aggregate(3 + rack, kind, every(24, rack))
    }));
    all
}

fn flavor() -> Flavor {
    let specs = [("aggregate_instance_extra_specs:ssd", "true"), ("capabilities:vcpus_total", ">= 32")];
    Flavor {
        id: FlavorId("tiny".to_owned()),
        name: "tiny".to_owned(),
        description: None,
        vcpus: 1,
        ram_mib: 64,
        disk_gib: 1,
        ephemeral_gib: 0,
        swap_mib: 0,
        is_public: true,
        is_disabled: false,
        extra_specs: specs.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
    }
}

//! All hosts as columns, ordered by name: what decisions read.

use std::collections::HashMap;

use cuttle_model::aggregate::Aggregate;
use cuttle_model::capacity::Usage;
use cuttle_model::host::{Administrative, Host, HostName, HostResources};
use cuttle_model::ids::HostId;

use crate::locality::{Nearness, Purpose};
use crate::rules::{Class, Platform};
use crate::settings::Settings;

/// A host as the caller knows it.
#[derive(Debug, Clone)]
pub struct HostInput {
    pub host: Host,
    pub usage: Usage,
    /// Instances there that are being worked on.
    pub io_ops: u32,
    /// Guests that could not be made there since the last one that could.
    pub failed_builds: u32,
    /// How well the host reaches storage: 1 is well, 0 not at all.
    pub storage_health: f32,
}

impl HostInput {
    /// A host of which no more is known than this.
    pub fn new(host: Host, usage: Usage) -> Self {
        Self { host, usage, io_ops: 0, failed_builds: 0, storage_health: 1.0 }
    }
}

/// What may be claimed of a host in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub vcpus: u64,
    pub ram_mib: u64,
    /// Where NumInstancesFilter is on.
    pub instances: Option<u64>,
}

/// All hosts. Rows are ordered by name, so that equals keep that order.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub(crate) ids: Vec<HostId>,
    pub(crate) names: Vec<HostName>,
    rows: HashMap<HostId, u32>,
    pub(crate) ready: Vec<bool>,
    /// Microseconds; the least there is where the host was never heard of.
    pub(crate) seen_at: Vec<i64>,
    pub(crate) vcpu_limit: Vec<u64>,
    pub(crate) ram_limit: Vec<u64>,
    pub(crate) usage: Vec<Usage>,
    pub(crate) free_vcpus: Vec<u32>,
    pub(crate) free_ram_mib: Vec<u32>,
    pub(crate) instances: Vec<u32>,
    pub(crate) io_ops: Vec<u32>,
    pub(crate) failed_builds: Vec<u32>,
    pub(crate) storage_health: Vec<f32>,
    /// How near hosts are to the OSDs that serve a pool for a purpose, from 0 to 1.
    pub(crate) nearness: Vec<(String, Purpose, Vec<f32>)>,
    pub(crate) resources: Vec<Option<HostResources>>,
    pub(crate) class_of: Vec<u32>,
    pub(crate) classes: Vec<Class>,
}

impl Snapshot {
    /// Columns of these hosts.
    pub fn new(mut inputs: Vec<HostInput>, aggregates: &[Aggregate], settings: &Settings) -> Self {
        inputs.sort_by(|a, b| a.host.name.cmp(&b.host.name));
        let mut membership: HashMap<HostId, Vec<&Aggregate>> = HashMap::new();
        for aggregate in aggregates {
            for host in &aggregate.hosts {
                membership.entry(*host).or_default().push(aggregate);
            }
        }
        let mut snapshot = Self::default();
        let mut known = HashMap::new();
        for input in inputs {
            let of = membership.get(&input.host.id).cloned().unwrap_or_default();
            let class = snapshot.class_for(input.host.resources.as_ref(), of, settings, &mut known);
            snapshot.push(input, class);
        }
        snapshot
    }

    /// Looks the hosts' nearness to these pools up. A pool of which nothing is known cannot tell hosts apart.
    pub fn look_up(&mut self, nearness: &Nearness, uses: &[(&str, Purpose)]) {
        for (pool, purpose) in uses {
            if let Some(near) = nearness.of(pool, *purpose, &self.ids) {
                self.set_nearness(pool, *purpose, near);
            }
        }
    }

    /// The hosts' nearness to a pool, in the order of their names.
    pub fn set_nearness(&mut self, pool: &str, purpose: Purpose, mut near: Vec<f32>) {
        near.resize(self.len(), 0.0);
        self.nearness.retain(|(known, of, _)| known != pool || *of != purpose);
        self.nearness.push((pool.to_owned(), purpose, near));
    }

    /// How many hosts there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// What may be claimed of the host, under these settings.
    pub fn limits(&self, host: HostId, settings: &Settings) -> Option<Limits> {
        let row = self.row(host)?;
        let counts = settings.enabled_filters.contains(&crate::Filter::NumInstances);
        let instances = counts.then(|| u64::from(self.class(row).max_instances));
        Some(Limits { vcpus: self.vcpu_limit[row], ram_mib: self.ram_limit[row], instances })
    }

    /// What is claimed of the host.
    pub fn usage(&self, host: HostId) -> Option<Usage> {
        self.row(host).map(|row| self.usage[row])
    }

    /// Guests that could not be made on the host since the last one that could.
    pub fn failed_builds(&self, host: HostId) -> u32 {
        self.row(host).map_or(0, |row| self.failed_builds[row])
    }

    /// The host's availability zone.
    pub fn zone(&self, host: HostId) -> Option<&str> {
        self.row(host).map(|row| self.class(row).zone.as_str())
    }

    /// Counts one more instance on the host.
    pub fn claim(&mut self, host: HostId, vcpus: u64, ram_mib: u64) {
        if let Some(row) = self.row(host) {
            let usage = &mut self.usage[row];
            usage.instances += 1;
            usage.vcpus = usage.vcpus.saturating_add(vcpus);
            usage.ram_mib = usage.ram_mib.saturating_add(ram_mib);
            self.recount(row);
        }
    }

    /// Takes a host out of placement.
    pub fn close(&mut self, host: HostId) {
        if let Some(row) = self.row(host) {
            self.ready[row] = false;
        }
    }

    pub(crate) fn row(&self, host: HostId) -> Option<usize> {
        self.rows.get(&host).map(|row| *row as usize)
    }

    pub(crate) fn class(&self, row: usize) -> &Class {
        &self.classes[self.class_of[row] as usize]
    }

    fn class_for(
        &mut self,
        resources: Option<&HostResources>,
        aggregates: Vec<&Aggregate>,
        settings: &Settings,
        known: &mut HashMap<(Vec<i64>, Option<Platform>), u32>,
    ) -> u32 {
        let platform = resources.map(Platform::of);
        let key = (aggregates.iter().map(|aggregate| aggregate.number).collect(), platform.clone());
        *known.entry(key).or_insert_with(|| {
            self.classes.push(Class::new(&aggregates, platform, settings));
            narrow(self.classes.len() as u64) - 1
        })
    }

    fn push(&mut self, input: HostInput, class: u32) {
        let HostInput { host, usage, io_ops, failed_builds, storage_health } = input;
        let row = self.len();
        let limits = host.resources.as_ref().map(|resources| {
            let class = &self.classes[class as usize];
            (class.vcpu_limit(resources), class.ram_limit_mib(resources))
        });
        let (vcpu_limit, ram_limit) = limits.unwrap_or((0, 0));
        self.rows.insert(host.id, narrow(row as u64));
        self.ids.push(host.id);
        self.ready.push(host.administrative == Administrative::Enabled && host.resources.is_some());
        self.seen_at.push(host.last_seen_at.map_or(i64::MIN, |seen| seen.as_micros()));
        self.vcpu_limit.push(vcpu_limit);
        self.ram_limit.push(ram_limit);
        self.usage.push(usage);
        self.free_vcpus.push(0);
        self.free_ram_mib.push(0);
        self.instances.push(0);
        self.io_ops.push(io_ops);
        self.failed_builds.push(failed_builds);
        self.storage_health.push(storage_health);
        self.class_of.push(class);
        self.resources.push(host.resources);
        self.names.push(host.name);
        self.recount(row);
    }

    fn recount(&mut self, row: usize) {
        let usage = self.usage[row];
        self.free_vcpus[row] = narrow(self.vcpu_limit[row].saturating_sub(usage.vcpus));
        self.free_ram_mib[row] = narrow(self.ram_limit[row].saturating_sub(usage.ram_mib));
        self.instances[row] = narrow(usage.instances);
    }
}

/// As near as 32 bits come: nothing asks for more than that.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

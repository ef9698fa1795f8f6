//! Filters: may this host take the instance at all? A file each, with Nova's name.
//!
//! A filter is prepared for one request, and then asked for each host by its row. One that has nothing
//! to say about a request is not asked at all, and those that compare texts ask once per class of hosts.

mod affinity;
mod aggregate_extra_specs;
mod aggregate_image_properties;
mod aggregate_tenancy;
mod anti_affinity;
mod availability_zone;
mod capabilities;
mod compute;
mod core;
mod different_host;
mod disk;
mod image_properties;
mod io_ops;
mod num_instances;
mod ram;
mod requested_host;
mod retry;
mod same_host;
mod storage_health;

use cuttle_model::ids::HostId;
use cuttle_model::placement::{Removed, Shortfall};
use serde::Deserialize;

use crate::choice::World;
use crate::request::{Request, Target};
use crate::rules::Class;
use crate::settings::Settings;
use crate::snapshot::Snapshot;

/// The filters. Configured by Nova's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Filter {
    #[serde(rename = "ComputeFilter")]
    Compute,
    #[serde(rename = "RequestedHostFilter")]
    RequestedHost,
    #[serde(rename = "RetryFilter")]
    Retry,
    #[serde(rename = "StorageHealthFilter")]
    StorageHealth,
    #[serde(rename = "CoreFilter")]
    Core,
    #[serde(rename = "RamFilter")]
    Ram,
    #[serde(rename = "DiskFilter")]
    Disk,
    #[serde(rename = "NumInstancesFilter")]
    NumInstances,
    #[serde(rename = "IoOpsFilter")]
    IoOps,
    #[serde(rename = "AvailabilityZoneFilter")]
    AvailabilityZone,
    #[serde(rename = "AggregateMultiTenancyIsolation")]
    AggregateMultiTenancyIsolation,
    #[serde(rename = "ImagePropertiesFilter")]
    ImageProperties,
    #[serde(rename = "AggregateImagePropertiesIsolation")]
    AggregateImagePropertiesIsolation,
    #[serde(rename = "AggregateInstanceExtraSpecsFilter")]
    AggregateInstanceExtraSpecs,
    #[serde(rename = "ComputeCapabilitiesFilter")]
    ComputeCapabilities,
    #[serde(rename = "SameHostFilter")]
    SameHost,
    #[serde(rename = "DifferentHostFilter")]
    DifferentHost,
    #[serde(rename = "ServerGroupAffinityFilter")]
    ServerGroupAffinity,
    #[serde(rename = "ServerGroupAntiAffinityFilter")]
    ServerGroupAntiAffinity,
}

use Filter::*;

impl Filter {
    /// In the order in which they count: the cheapest and most telling first.
    pub const ALL: [Self; 19] = [
        Compute,
        RequestedHost,
        Retry,
        StorageHealth,
        Core,
        Ram,
        Disk,
        NumInstances,
        IoOps,
        AvailabilityZone,
        AggregateMultiTenancyIsolation,
        ImageProperties,
        AggregateImagePropertiesIsolation,
        AggregateInstanceExtraSpecs,
        ComputeCapabilities,
        SameHost,
        DifferentHost,
        ServerGroupAffinity,
        ServerGroupAntiAffinity,
    ];

    /// What runs where nothing else is configured: all but those that limit how many instances or
    /// how much work a host may have.
    pub const DEFAULT: [Self; 17] = [
        Compute,
        RequestedHost,
        Retry,
        StorageHealth,
        Core,
        Ram,
        Disk,
        AvailabilityZone,
        AggregateMultiTenancyIsolation,
        ImageProperties,
        AggregateImagePropertiesIsolation,
        AggregateInstanceExtraSpecs,
        ComputeCapabilities,
        SameHost,
        DifferentHost,
        ServerGroupAffinity,
        ServerGroupAntiAffinity,
    ];

    /// Nova's name, where Nova has the filter.
    pub fn name(self) -> &'static str {
        match self {
            Compute => "ComputeFilter",
            RequestedHost => "RequestedHostFilter",
            Retry => "RetryFilter",
            StorageHealth => "StorageHealthFilter",
            Core => "CoreFilter",
            Ram => "RamFilter",
            Disk => "DiskFilter",
            NumInstances => "NumInstancesFilter",
            IoOps => "IoOpsFilter",
            AvailabilityZone => "AvailabilityZoneFilter",
            AggregateMultiTenancyIsolation => "AggregateMultiTenancyIsolation",
            ImageProperties => "ImagePropertiesFilter",
            AggregateImagePropertiesIsolation => "AggregateImagePropertiesIsolation",
            AggregateInstanceExtraSpecs => "AggregateInstanceExtraSpecsFilter",
            ComputeCapabilities => "ComputeCapabilitiesFilter",
            SameHost => "SameHostFilter",
            DifferentHost => "DifferentHostFilter",
            ServerGroupAffinity => "ServerGroupAffinityFilter",
            ServerGroupAntiAffinity => "ServerGroupAntiAffinityFilter",
        }
    }

    /// Whether it runs even where it is not configured: without it, hosts would be chosen that the
    /// claim then refuses.
    pub fn is_always_on(self) -> bool {
        matches!(self, Compute | RequestedHost | Retry | Core | Ram)
    }

    /// Whether it holds for a host that an administrator forces an instance on: room and reach, not policy.
    fn holds_when_forced(self) -> bool {
        self.is_always_on() || matches!(self, StorageHealth | Disk)
    }

    pub(crate) fn is_on(self, settings: &Settings, target: Target) -> bool {
        let is_on = self.is_always_on() || settings.enabled_filters.contains(&self);
        is_on && (self.holds_when_forced() || !matches!(target, Target::Forced(_)))
    }
}

/// A filter that was prepared for a request.
pub(crate) trait Check {
    /// Whether it can say how much is missing.
    const MEASURES: bool = false;

    /// Does it let the host of that row through?
    fn passes(&self, row: usize) -> bool;

    /// How much a host that it does not let through lacks.
    fn shortfall(&self, _row: usize) -> Option<Shortfall> {
        None
    }
}

/// Does something with each filter's own type.
pub(crate) trait Visit {
    type Output;

    /// `check` is `None` where the filter lets every host through.
    fn visit<C: Check>(self, check: Option<C>) -> Self::Output;
}

/// Prepares the filter for the request and hands it over.
pub(crate) fn prepare<V: Visit>(filter: Filter, world: &World<'_>, request: &Request<'_>, visitor: V) -> V::Output {
    if !filter.is_on(world.settings, request.target) {
        return visitor.visit(None::<Rows>);
    }
    match filter {
        Compute => visitor.visit(Some(compute::prepare(world))),
        RequestedHost => visitor.visit(requested_host::prepare(world, request)),
        Retry => visitor.visit(retry::prepare(world, request)),
        StorageHealth => visitor.visit(storage_health::prepare(world)),
        Core => visitor.visit(Some(core::prepare(world, request))),
        Ram => visitor.visit(Some(ram::prepare(world, request))),
        Disk => visitor.visit(disk::prepare(world, request)),
        NumInstances => visitor.visit(Some(num_instances::prepare(world))),
        IoOps => visitor.visit(Some(io_ops::prepare(world))),
        AvailabilityZone => visitor.visit(availability_zone::prepare(world, request)),
        AggregateMultiTenancyIsolation => visitor.visit(aggregate_tenancy::prepare(world, request)),
        ImageProperties => visitor.visit(image_properties::prepare(world, request)),
        AggregateImagePropertiesIsolation => visitor.visit(aggregate_image_properties::prepare(world, request)),
        AggregateInstanceExtraSpecs => visitor.visit(aggregate_extra_specs::prepare(world, request)),
        ComputeCapabilities => visitor.visit(capabilities::prepare(world, request)),
        SameHost => visitor.visit(same_host::prepare(world, request)),
        DifferentHost => visitor.visit(different_host::prepare(world, request)),
        ServerGroupAffinity => visitor.visit(affinity::prepare(world, request)),
        ServerGroupAntiAffinity => visitor.visit(anti_affinity::prepare(world, request)),
    }
}

/// Marks hosts that the filter removes, of those that are not marked yet.
pub(crate) struct Sweep<'a> {
    pub filter: Filter,
    /// 0 where the host is still there, else which filter removed it.
    pub marks: &'a mut [u8],
    pub mark: u8,
}

impl Visit for Sweep<'_> {
    type Output = Removed;

    fn visit<C: Check>(self, check: Option<C>) -> Removed {
        let mut removed = Removed { filter: self.filter.name().into(), hosts: 0, nearest_miss: None };
        let Some(check) = check else { return removed };
        for (row, mark) in self.marks.iter_mut().enumerate() {
            let falls = *mark == 0 && !check.passes(row);
            *mark = if falls { self.mark } else { *mark };
            removed.hosts += u32::from(falls);
        }
        if C::MEASURES && removed.hosts > 0 {
            let rows = self.marks.iter().enumerate().filter(|(_, mark)| **mark == self.mark);
            removed.nearest_miss = rows.filter_map(|(row, _)| check.shortfall(row)).min();
        }
        removed
    }
}

/// What the filter says of one host, whatever others say.
#[cfg(test)]
pub(crate) struct One {
    pub row: usize,
}

#[cfg(test)]
impl Visit for One {
    type Output = Result<(), Option<Shortfall>>;

    fn visit<C: Check>(self, check: Option<C>) -> Self::Output {
        match check {
            Some(check) if !check.passes(self.row) => Err(check.shortfall(self.row)),
            _ => Ok(()),
        }
    }
}

/// Does the filter, by itself, let the host of that row through?
#[cfg(test)]
pub(crate) fn passes(filter: Filter, world: &World<'_>, request: &Request<'_>, row: usize) -> bool {
    prepare(filter, world, request, One { row }).is_ok()
}

/// A verdict for each host.
pub(crate) struct Rows {
    passes: Vec<bool>,
}

impl Check for Rows {
    fn passes(&self, row: usize) -> bool {
        self.passes[row]
    }
}

impl Rows {
    /// All hosts get `rest`, these the opposite.
    fn except(snapshot: &Snapshot, hosts: impl IntoIterator<Item = HostId>, rest: bool) -> Self {
        let mut passes = vec![rest; snapshot.len()];
        for row in hosts.into_iter().filter_map(|host| snapshot.row(host)) {
            passes[row] = !rest;
        }
        Self { passes }
    }
}

/// A verdict for each class of hosts.
pub(crate) struct Classes<'a> {
    class_of: &'a [u32],
    passes: Vec<bool>,
}

impl Check for Classes<'_> {
    fn passes(&self, row: usize) -> bool {
        self.passes[self.class_of[row] as usize]
    }
}

impl<'a> Classes<'a> {
    /// `None` where all pass.
    fn of(snapshot: &'a Snapshot, passes: impl Fn(&Class) -> bool) -> Option<Self> {
        let passes: Vec<bool> = snapshot.classes.iter().map(passes).collect();
        passes.contains(&false).then_some(Self { class_of: &snapshot.class_of, passes })
    }
}

/// As much as is free of something is needed.
pub(crate) struct Enough<'a> {
    free: &'a [u32],
    needed: u64,
    unit: &'static str,
}

impl Check for Enough<'_> {
    const MEASURES: bool = true;

    fn passes(&self, row: usize) -> bool {
        u64::from(self.free[row]) >= self.needed
    }

    fn shortfall(&self, row: usize) -> Option<Shortfall> {
        let amount = self.needed.checked_sub(u64::from(self.free[row])).filter(|amount| *amount > 0)?;
        Some(Shortfall { amount, unit: self.unit.into() })
    }
}

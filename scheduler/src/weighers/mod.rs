//! Weighers: which of the hosts that can take the instance is best? A file each, with Nova's name.
//!
//! What a weigher measures is brought to 0..1 over the hosts that are left, times its multiplier: a
//! negative one prefers the other end. All are equal to one that cannot tell them apart. Storage's
//! weighers measure from 0 to 1 as they are, so that a small difference stays small.

mod build_failure;
mod cpu;
mod disk;
mod io_ops;
mod num_instances;
mod ram;
mod soft_affinity;
mod soft_anti_affinity;
mod storage_health;
mod storage_locality;

use crate::choice::World;
use crate::request::Request;

/// The weighers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weigher {
    Ram,
    Cpu,
    Disk,
    IoOps,
    NumInstances,
    BuildFailure,
    SoftAffinity,
    SoftAntiAffinity,
    StorageLocality,
    StorageHealth,
}

use Weigher::*;

impl Weigher {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 10] =
        [Ram, Cpu, Disk, IoOps, NumInstances, BuildFailure, SoftAffinity, SoftAntiAffinity, StorageLocality, StorageHealth];

    /// Nova's name, where Nova has the weigher.
    pub fn name(self) -> &'static str {
        match self {
            Ram => "RAMWeigher",
            Cpu => "CPUWeigher",
            Disk => "DiskWeigher",
            IoOps => "IoOpsWeigher",
            NumInstances => "NumInstancesWeigher",
            BuildFailure => "BuildFailureWeigher",
            SoftAffinity => "ServerGroupSoftAffinityWeigher",
            SoftAntiAffinity => "ServerGroupSoftAntiAffinityWeigher",
            StorageLocality => "StorageLocalityWeigher",
            StorageHealth => "StorageHealthWeigher",
        }
    }
}

/// What a weigher's measures lie between.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Range {
    /// The least and the greatest among the hosts that are left.
    Found,
    /// 0 and 1.
    Unit,
}

/// A weigher that was prepared for a request.
pub(crate) trait Measure {
    const RANGE: Range = Range::Found;

    /// Of the host of that row; greater is better where the multiplier is positive.
    fn raw(&self, row: usize) -> f64;
}

/// Does something with each weigher's own type.
pub(crate) trait Visit {
    type Output;

    /// `measure` is `None` where the weigher cannot tell hosts apart.
    fn visit<M: Measure>(self, measure: Option<M>) -> Self::Output;
}

/// Prepares the weigher for the request and hands it over.
pub(crate) fn prepare<V: Visit>(weigher: Weigher, world: &World<'_>, request: &Request<'_>, visitor: V) -> V::Output {
    match weigher {
        Ram => visitor.visit(Some(ram::prepare(world))),
        Cpu => visitor.visit(Some(cpu::prepare(world))),
        Disk => visitor.visit(Some(disk::prepare(world))),
        IoOps => visitor.visit(Some(io_ops::prepare(world))),
        NumInstances => visitor.visit(Some(num_instances::prepare(world))),
        BuildFailure => visitor.visit(Some(build_failure::prepare(world))),
        SoftAffinity => visitor.visit(soft_affinity::prepare(world, request)),
        SoftAntiAffinity => visitor.visit(soft_anti_affinity::prepare(world, request)),
        StorageLocality => visitor.visit(storage_locality::prepare(world, request)),
        StorageHealth => visitor.visit(Some(storage_health::prepare(world))),
    }
}

/// A number of 32 bits for each host.
pub(crate) struct Column<'a>(&'a [u32]);

impl Measure for Column<'_> {
    fn raw(&self, row: usize) -> f64 {
        f64::from(self.0[row])
    }
}

/// How many of the group's members each host has, times `sign`.
pub(crate) struct Members {
    counts: Vec<f32>,
}

impl Members {
    fn of(world: &World<'_>, group: &crate::request::Group, sign: f32) -> Self {
        let mut counts = vec![0.0; world.snapshot.len()];
        for (host, members) in &group.members {
            if let Some(row) = world.snapshot.row(*host) {
                counts[row] = sign * *members as f32;
            }
        }
        Self { counts }
    }
}

impl Measure for Members {
    fn raw(&self, row: usize) -> f64 {
        f64::from(self.counts[row])
    }
}

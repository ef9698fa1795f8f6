//! DiskWeigher: more room for disks is better. All hosts share the pool, so they are equal.

use super::Measure;
use crate::choice::World;

pub(super) struct Disk {
    free_mib: f64,
}

pub(super) fn prepare(world: &World<'_>) -> Disk {
    Disk { free_mib: world.pool.map_or(0.0, |pool| (pool.max_avail_bytes >> 20) as f64) }
}

impl Measure for Disk {
    fn raw(&self, _row: usize) -> f64 {
        self.free_mib
    }
}

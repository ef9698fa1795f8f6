//! StorageLocalityWeigher: nearer to the OSDs that will serve the disk is better. In an evenly spread
//! pool all hosts are equally near.

use super::{Measure, Range};
use crate::choice::World;
use crate::request::Request;

pub(super) struct StorageLocality<'a> {
    /// The pools that the instance uses, as far as they are known.
    pools: [Option<&'a [f32]>; MOST],
    share: f32,
}

/// Pools that count: the disk's, and the one of the image that it is cloned from.
const MOST: usize = 2;

pub(super) fn prepare<'a>(world: &World<'a>, request: &Request<'_>) -> Option<StorageLocality<'a>> {
    let mut pools = [None; MOST];
    let known = &world.snapshot.closeness;
    let wanted = request.pools.iter().filter_map(|pool| known.iter().find(|(name, _)| name == pool));
    let mut count = 0;
    for (slot, (_, column)) in pools.iter_mut().zip(wanted) {
        *slot = Some(column.as_slice());
        count += 1;
    }
    (count > 0).then(|| StorageLocality { pools, share: 1.0 / count as f32 })
}

impl Measure for StorageLocality<'_> {
    const RANGE: Range = Range::Unit;

    fn raw(&self, row: usize) -> f64 {
        f64::from(self.pools.iter().flatten().map(|column| column[row]).sum::<f32>() * self.share)
    }
}

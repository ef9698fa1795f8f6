//! StorageLocalityWeigher: nearer to the OSDs that will serve the disk is better: the mean of the disk's
//! pool, and of the one that it was cloned from. In evenly spread pools all hosts are equally near.

use super::{Measure, Range};
use crate::choice::World;
use crate::locality::Purpose;
use crate::request::Request;

pub(super) struct StorageLocality<'a> {
    /// The pools that the instance uses, as far as they are known.
    pools: [Option<&'a [f32]>; 2],
    share: f32,
}

pub(super) fn prepare<'a>(world: &World<'a>, request: &Request<'_>) -> Option<StorageLocality<'a>> {
    let known = &world.snapshot.nearness;
    let column = |pool: Option<&str>, purpose| {
        let pool = pool?;
        known.iter().find(|(name, of, _)| name == pool && *of == purpose).map(|(.., near)| near.as_slice())
    };
    let pools = [column(request.disk_pool, Purpose::Disk), column(request.parent_pool, Purpose::Parent)];
    let count = pools.iter().flatten().count();
    (count > 0).then(|| StorageLocality { pools, share: 1.0 / count as f32 })
}

impl Measure for StorageLocality<'_> {
    const RANGE: Range = Range::Unit;

    fn raw(&self, row: usize) -> f64 {
        f64::from(self.pools.iter().flatten().map(|near| near[row]).sum::<f32>() * self.share)
    }
}

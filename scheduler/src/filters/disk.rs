//! DiskFilter: the pool can still take the disk. One account for all hosts, because they share the pool;
//! so it removes all of them or none.

use super::Verdict;
use crate::choice::{Request, World};

pub(super) fn check(request: &Request<'_>, world: &World<'_>) -> Verdict {
    match world.pool {
        Some(pool) if pool.full.is_some() => Verdict::Fail { shortfall: None },
        Some(pool) => Verdict::enough(request.disk_bytes.div_ceil(1 << 20), pool.max_avail_bytes >> 20, "MiB in the pool"),
        // Ceph could not be asked just now. Making the disk will tell.
        None => Verdict::Pass,
    }
}

//! DiskFilter: the pool can still take the disks. One account for all hosts, because they share the pool;
//! so it removes all of them or none.

use cuttle_model::placement::Shortfall;

use super::Check;
use crate::choice::World;
use crate::request::Request;

pub(super) struct Disk {
    is_full: bool,
    missing_mib: u64,
}

/// Where Ceph could not be asked just now, making the disk will tell.
pub(super) fn prepare(world: &World<'_>, request: &Request<'_>) -> Option<Disk> {
    let pool = world.pool.filter(|_| request.disk_bytes > 0)?;
    let available = (pool.max_avail_bytes as f64 * world.settings.disk_allocation_ratio) as u64;
    let missing = request.disk_bytes.saturating_sub(available);
    let is_full = pool.full.is_some();
    (is_full || missing > 0).then_some(Disk { is_full, missing_mib: missing.div_ceil(1 << 20) })
}

impl Check for Disk {
    const MEASURES: bool = true;

    fn passes(&self, _row: usize) -> bool {
        false
    }

    fn shortfall(&self, _row: usize) -> Option<Shortfall> {
        (!self.is_full).then(|| Shortfall { amount: self.missing_mib, unit: "MiB in the pool".into() })
    }
}

#[cfg(test)]
mod tests {
    use cuttle_model::capacity::{PoolAccount, PoolFull};

    use crate::filters::{Filter, One, prepare};
    use crate::request::Request;
    use crate::test_hosts::{flavor, input, request, with_world};

    #[test]
    fn the_pool_is_one_account() {
        let flavor = flavor(1, 1);
        let account = |max_avail_bytes, full| Some(PoolAccount { max_avail_bytes, stored_bytes: 0, full, nearfull: false });
        with_world(vec![input("a", 1)], &[], |world| {
            let request = Request { disk_bytes: 3 << 20, ..request(&flavor) };
            let verdict = |pool| prepare(Filter::Disk, &crate::World { pool, ..*world }, &request, One { row: 0 });
            assert_eq!(verdict(None), Ok(()));
            assert_eq!(verdict(account(3 << 20, None)), Ok(()));
            assert_eq!(verdict(account(2 << 20, None)).unwrap_err().unwrap().amount, 1);
            assert_eq!(verdict(account(9 << 20, Some(PoolFull::Quota))), Err(None));
        });
    }
}

//! How many instances a quota has room for, as it looks before they are made: so that a request that
//! cannot be done makes nothing. What counts is the count in the transaction of each.

use cuttle_database::{InstanceUsage, Limits, QuotaScope};
use cuttle_model::flavor::Flavor;
use cuttle_model::quota::{Excess, Resource, UNLIMITED, excess};
use cuttle_operations::RequestError;

use crate::error::ApiError;
use crate::shared::Shared;

const OF_INSTANCES: [Resource; 3] = [Resource::Instances, Resource::Cores, Resource::Ram];

/// How many of `most` can be made; fewer than `least` is a refusal.
pub async fn count(
    shared: &Shared,
    scope: &QuotaScope,
    limits: &Limits,
    flavor: &Flavor,
    least: u64,
    most: u64,
) -> Result<u64, ApiError> {
    let all = shared.database.instance_usage(scope.project, None).await?;
    let mut checks: Vec<_> =
        OF_INSTANCES.into_iter().map(|resource| (resource, all.of(resource), limits.project.get(resource))).collect();
    if OF_INSTANCES.iter().any(|resource| limits.user.contains_key(resource)) {
        let own = shared.database.instance_usage(scope.project, Some(scope.user)).await?;
        let of_user = |resource: Resource| Some((resource, own.of(resource), *limits.user.get(&resource)?));
        checks.extend(OF_INSTANCES.into_iter().filter_map(of_user));
    }
    let one = InstanceUsage::of_flavor(flavor);
    let room = checks.iter().map(|(resource, used, limit)| fits(one.of(*resource), *used, *limit)).min().unwrap_or(most);
    if room >= least {
        return Ok(room.min(most));
    }
    let asked = |resource: Resource| one.of(resource).saturating_mul(i64::try_from(most).unwrap_or(i64::MAX));
    let mut over: Vec<Excess> = Vec::new();
    for (resource, used, limit) in checks {
        if over.iter().all(|found| found.resource != resource) {
            over.extend(excess(resource, asked(resource), used, limit));
        }
    }
    Err(RequestError::OverQuota(over).into())
}

/// How often `one` fits between what is used and the limit.
fn fits(one: i64, used: i64, limit: i64) -> u64 {
    match (limit, one) {
        (UNLIMITED, _) | (_, 0) => u64::MAX,
        _ => u64::try_from(limit.saturating_sub(used).max(0) / one).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits() {
        assert_eq!((fits(2, 3, 10), fits(2, 10, 10), fits(2, 11, 10)), (3, 0, 0));
        assert_eq!((fits(0, 11, 10), fits(5, 11, UNLIMITED)), (u64::MAX, u64::MAX));
    }
}

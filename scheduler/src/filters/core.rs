//! CoreFilter: enough virtual CPUs are unclaimed, under the overcommit ratio of the host's aggregates,
//! of the configuration, or of the host.

use super::Enough;
use crate::choice::World;
use crate::request::Request;

pub(super) fn prepare<'a>(world: &World<'a>, request: &Request<'_>) -> Enough<'a> {
    Enough { free: &world.snapshot.free_vcpus, needed: request.flavor.vcpus.into(), unit: "vCPU" }
}

#[cfg(test)]
mod tests {
    use cuttle_model::capacity::Usage;

    use crate::HostInput;
    use crate::filters::Filter;
    use crate::test_hosts::{aggregate, flavor, input, lets_pass, request};

    #[test]
    fn the_ratio_counts() {
        let flavor = flavor(4, 1);
        let usage = Usage { vcpus: 5, ..Usage::default() };
        let mut host = HostInput { usage, ..input("a", 1) };
        assert!(!lets_pass(Filter::Core, host.clone(), &[], &request(&flavor)), "8 threads, 5 claimed");
        host.host.resources.as_mut().unwrap().cpu_ratio_milli = 1500;
        assert!(lets_pass(Filter::Core, host.clone(), &[], &request(&flavor)));
        let strict = [aggregate("strict", &[("cpu_allocation_ratio", "1.0")])];
        assert!(!lets_pass(Filter::Core, host, &strict, &request(&flavor)), "the aggregate's ratio wins");
    }
}

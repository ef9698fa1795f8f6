//! RamFilter: enough memory is unclaimed, under the overcommit ratio and above the host's reserve.

use super::Enough;
use crate::choice::World;
use crate::request::Request;

pub(super) fn prepare<'a>(world: &World<'a>, request: &Request<'_>) -> Enough<'a> {
    Enough { free: &world.snapshot.free_ram_mib, needed: request.flavor.ram_mib, unit: "MiB" }
}

#[cfg(test)]
mod tests {
    use crate::filters::Filter;
    use crate::test_hosts::{flavor, input, lets_pass, request};

    #[test]
    fn reserve_and_ratio_count() {
        let flavor = flavor(1, 1024);
        let mut host = input("a", 1024);
        assert!(lets_pass(Filter::Ram, host.clone(), &[], &request(&flavor)));
        host.host.resources.as_mut().unwrap().reserved_ram_mib = 256;
        assert!(!lets_pass(Filter::Ram, host.clone(), &[], &request(&flavor)));
        host.host.resources.as_mut().unwrap().ram_ratio_milli = 1500;
        assert!(lets_pass(Filter::Ram, host, &[], &request(&flavor)));
    }
}

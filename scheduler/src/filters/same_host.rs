//! SameHostFilter: with the hint `same_host`, the host has one of these instances.

use super::Rows;
use crate::choice::World;
use crate::request::Request;

pub(super) fn prepare(world: &World<'_>, request: &Request<'_>) -> Option<Rows> {
    request.same_host.map(|hosts| Rows::except(world.snapshot, hosts.iter().copied(), false))
}

#[cfg(test)]
mod tests {
    use crate::filters::Filter;
    use crate::request::Request;
    use crate::test_hosts::{flavor, host, input, lets_pass, request};

    #[test]
    fn the_host_of_one_of_them() {
        let flavor = flavor(1, 1);
        let theirs = [host("a", 1).id];
        for (hosts, name, passes) in [(&theirs[..], "a", true), (&theirs, "b", false), (&[], "a", false)] {
            let request = Request { same_host: Some(hosts), ..request(&flavor) };
            assert_eq!(lets_pass(Filter::SameHost, input(name, 1), &[], &request), passes, "{name}");
        }
        assert!(lets_pass(Filter::SameHost, input("b", 1), &[], &request(&flavor)));
    }
}

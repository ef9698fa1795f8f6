//! DifferentHostFilter: with the hint `different_host`, the host has none of these instances.

use super::Rows;
use crate::choice::World;
use crate::request::Request;

pub(super) fn prepare(world: &World<'_>, request: &Request<'_>) -> Option<Rows> {
    let hosts = request.different_host;
    (!hosts.is_empty()).then(|| Rows::except(world.snapshot, hosts.iter().copied(), true))
}

#[cfg(test)]
mod tests {
    use crate::filters::Filter;
    use crate::request::Request;
    use crate::test_hosts::{flavor, host, input, lets_pass, request};

    #[test]
    fn the_host_of_none_of_them() {
        let flavor = flavor(1, 1);
        let theirs = [host("a", 1).id];
        let request = Request { different_host: &theirs, ..request(&flavor) };
        assert!(!lets_pass(Filter::DifferentHost, input("a", 1), &[], &request));
        assert!(lets_pass(Filter::DifferentHost, input("b", 1), &[], &request));
    }
}

//! RetryFilter: the host was not tried before in vain, and is not the one that is being left.

use super::Rows;
use crate::choice::World;
use crate::request::Request;

pub(super) fn prepare(world: &World<'_>, request: &Request<'_>) -> Option<Rows> {
    let excluded = request.excluded;
    (!excluded.is_empty()).then(|| Rows::except(world.snapshot, excluded.iter().copied(), true))
}

#[cfg(test)]
mod tests {
    use crate::filters::Filter;
    use crate::request::Request;
    use crate::test_hosts::{flavor, host, input, lets_pass, request};

    #[test]
    fn tried_hosts_are_out() {
        let flavor = flavor(1, 1);
        let tried = [host("a", 1).id];
        let request = Request { excluded: &tried, ..request(&flavor) };
        assert!(!lets_pass(Filter::Retry, input("a", 1), &[], &request));
        assert!(lets_pass(Filter::Retry, input("b", 1), &[], &request));
    }
}

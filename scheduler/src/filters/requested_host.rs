//! RequestedHostFilter: where a host was asked for by name, it is that one. (Nova asks its placement
//! service for that host alone.)

use super::Rows;
use crate::choice::World;
use crate::request::{Request, Target};

pub(super) fn prepare(world: &World<'_>, request: &Request<'_>) -> Option<Rows> {
    match request.target {
        Target::Any => None,
        Target::Asked(host) | Target::Forced(host) => Some(Rows::except(world.snapshot, [host], false)),
    }
}

#[cfg(test)]
mod tests {
    use crate::filters::{Filter, passes};
    use crate::request::{Request, Target};
    use crate::test_hosts::{flavor, input, request, with_world};

    #[test]
    fn only_the_named_host() {
        let flavor = flavor(1, 1);
        with_world(vec![input("a", 1), input("b", 1)], &[], |world| {
            for target in [Target::Asked(world.snapshot.ids[1]), Target::Forced(world.snapshot.ids[1])] {
                let request = Request { target, ..request(&flavor) };
                assert!(!passes(Filter::RequestedHost, world, &request, 0));
                assert!(passes(Filter::RequestedHost, world, &request, 1));
            }
        });
    }
}

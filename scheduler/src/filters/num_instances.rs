//! NumInstancesFilter: the host has fewer instances than it may: `max_instances_per_host`, of its
//! aggregates' metadata or of the configuration.

use super::Check;
use crate::choice::World;
use crate::rules::Class;

pub(super) struct NumInstances<'a> {
    instances: &'a [u32],
    class_of: &'a [u32],
    classes: &'a [Class],
}

pub(super) fn prepare<'a>(world: &World<'a>) -> NumInstances<'a> {
    let snapshot = world.snapshot;
    NumInstances { instances: &snapshot.instances, class_of: &snapshot.class_of, classes: &snapshot.classes }
}

impl Check for NumInstances<'_> {
    fn passes(&self, row: usize) -> bool {
        self.instances[row] < self.classes[self.class_of[row] as usize].max_instances
    }
}

#[cfg(test)]
mod tests {
    use cuttle_model::capacity::Usage;

    use super::*;
    use crate::HostInput;
    use crate::test_hosts::{aggregate, input, with_world};

    #[test]
    fn the_aggregates_limit_wins() {
        let usage = Usage { instances: 2, ..Usage::default() };
        let host = HostInput { usage, ..input("a", 1) };
        let mut few = aggregate("few", &[("max_instances_per_host", "2")]);
        with_world(vec![host.clone()], &[few.clone()], |world| assert!(prepare(world).passes(0), "not in it"));
        few.hosts = vec![host.host.id];
        with_world(vec![host], &[few], |world| assert!(!prepare(world).passes(0)));
    }
}

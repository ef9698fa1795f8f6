//! IoOpsFilter: fewer instances are being built, moved or otherwise worked on there than may be:
//! `max_io_ops_per_host`, of its aggregates' metadata or of the configuration.

use super::Check;
use crate::choice::World;
use crate::rules::Class;

pub(super) struct IoOps<'a> {
    io_ops: &'a [u32],
    class_of: &'a [u32],
    classes: &'a [Class],
}

pub(super) fn prepare<'a>(world: &World<'a>) -> IoOps<'a> {
    let snapshot = world.snapshot;
    IoOps { io_ops: &snapshot.io_ops, class_of: &snapshot.class_of, classes: &snapshot.classes }
}

impl Check for IoOps<'_> {
    fn passes(&self, row: usize) -> bool {
        self.io_ops[row] < self.classes[self.class_of[row] as usize].max_io_ops
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostInput;
    use crate::test_hosts::{input, with_world};

    #[test]
    fn busy_hosts_are_out() {
        for (io_ops, passes) in [(7, true), (8, false)] {
            with_world(vec![HostInput { io_ops, ..input("a", 1) }], &[], |world| {
                assert_eq!(prepare(world).passes(0), passes, "{io_ops}");
            });
        }
    }
}

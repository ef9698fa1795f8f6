//! StorageHealthFilter: the host reaches storage. One whose path is broken drops out; one whose path
//! is slow only sinks, by StorageHealthWeigher.

use super::Check;
use crate::choice::World;

pub(super) struct StorageHealth<'a> {
    health: &'a [f32],
}

pub(super) fn prepare<'a>(world: &World<'a>) -> StorageHealth<'a> {
    StorageHealth { health: &world.snapshot.storage_health }
}

impl Check for StorageHealth<'_> {
    fn passes(&self, row: usize) -> bool {
        self.health[row] > 0.0
    }
}

#[cfg(test)]
mod tests {
    use crate::HostInput;
    use crate::filters::Filter;
    use crate::test_hosts::{flavor, input, lets_pass, request};

    #[test]
    fn broken_is_out_slow_is_not() {
        let flavor = flavor(1, 1);
        for (storage_health, passes) in [(1.0, true), (0.1, true), (0.0, false)] {
            let host = HostInput { storage_health, ..input("a", 1) };
            assert_eq!(lets_pass(Filter::StorageHealth, host, &[], &request(&flavor)), passes, "{storage_health}");
        }
    }
}

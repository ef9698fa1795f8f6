//! StorageHealthFilter: the host reaches storage. One whose path is broken drops out; one whose path
//! is slow only sinks, by StorageHealthWeigher.
//!
//! Where no host that is up reaches storage, it is storage that is away and no host's path: then the
//! filter says nothing, and what is asked for waits for storage as it would anywhere.

use super::Check;
use crate::choice::World;

pub(super) struct StorageHealth<'a> {
    health: &'a [f32],
}

pub(super) fn prepare<'a>(world: &World<'a>) -> Option<StorageHealth<'a>> {
    let up = super::compute::prepare(world);
    let health = &world.snapshot.storage_health;
    let reaches = |row: usize| health[row] > 0.0 && up.passes(row);
    (0..health.len()).any(reaches).then_some(StorageHealth { health })
}

impl Check for StorageHealth<'_> {
    fn passes(&self, row: usize) -> bool {
        self.health[row] > 0.0
    }
}

#[cfg(test)]
mod tests {
    use crate::test_hosts::{flavor, input, request, with_world};
    use crate::{HostInput, Scratch, choose};

    #[test]
    fn broken_is_out_slow_is_not() {
        for (storage_health, left) in [(1.0, true), (0.1, true), (0.0, false)] {
            assert_eq!(removed(storage_health, 1.0), u32::from(!left), "{storage_health}");
        }
    }

    #[test]
    fn no_path_is_to_blame_where_none_leads_to_storage() {
        assert_eq!(removed(0.0, 0.0), 0);
    }

    /// How many of two hosts with this health it removes.
    fn removed(one: f32, other: f32) -> u32 {
        let host = |name, storage_health| HostInput { storage_health, ..input(name, 100) };
        let flavor = flavor(1, 1);
        let choice = with_world(vec![host("a", one), host("b", other)], &[], |world| {
            choose(world, &request(&flavor), &mut Scratch::default())
        });
        let removed = choice.reasons.filters.iter().find(|removed| removed.filter == "StorageHealthFilter");
        removed.map_or(0, |removed| removed.hosts)
    }
}

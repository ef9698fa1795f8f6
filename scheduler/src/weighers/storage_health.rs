//! StorageHealthWeigher: a quick path to storage is better: 1 is quick, near 0 is hardly there.

use super::{Measure, Range};
use crate::choice::World;

pub(super) struct StorageHealth<'a> {
    health: &'a [f32],
}

pub(super) fn prepare<'a>(world: &World<'a>) -> StorageHealth<'a> {
    StorageHealth { health: &world.snapshot.storage_health }
}

impl Measure for StorageHealth<'_> {
    const RANGE: Range = Range::Unit;

    fn raw(&self, row: usize) -> f64 {
        f64::from(self.health[row])
    }
}

//! BuildFailureWeigher: fewer guests that could not be made since one could are better. Its multiplier
//! is great, so that a host which fails all is the last to be tried, and not the first because it is empty.

use super::Measure;
use crate::choice::World;

pub(super) struct BuildFailure<'a> {
    failed: &'a [u32],
}

pub(super) fn prepare<'a>(world: &World<'a>) -> BuildFailure<'a> {
    BuildFailure { failed: &world.snapshot.failed_builds }
}

impl Measure for BuildFailure<'_> {
    fn raw(&self, row: usize) -> f64 {
        -f64::from(self.failed[row])
    }
}

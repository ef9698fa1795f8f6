//! NumInstancesWeigher: how many instances are there. The multiplier is negative where fewer are better.

use super::Column;
use crate::choice::World;

pub(super) fn prepare<'a>(world: &World<'a>) -> Column<'a> {
    Column(&world.snapshot.instances)
}

//! IoOpsWeigher: how many instances are being worked on there. The multiplier is negative where fewer are better.

use super::Column;
use crate::choice::World;

pub(super) fn prepare<'a>(world: &World<'a>) -> Column<'a> {
    Column(&world.snapshot.io_ops)
}

//! RAMWeigher: more unclaimed memory is better, so that instances spread.

use super::Column;
use crate::choice::World;

pub(super) fn prepare<'a>(world: &World<'a>) -> Column<'a> {
    Column(&world.snapshot.free_ram_mib)
}

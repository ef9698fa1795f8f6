//! How near hosts are to the OSDs that serve a pool.
//!
//! ```text
//! CrushMap ─► Tree      where everything stands
//! PgServers ─► Spread   of each bucket, how many PGs are served from within it
//! hosts    ─► Nearness  of each pool and host a number from 0 to 1, which decisions look up
//! ```
//!
//! The distance between a host and an OSD is the level of the nearest bucket that has both: the same
//! host, the same rack, and so on. It is counted in levels that the tree has, so that trees with and
//! without rows compare alike. Nearness is 1 in the same host, less by the same amount for each level,
//! and 0 where there is no common bucket. An image stripes over all PGs of its pool, so a host's
//! nearness to a pool is the mean over the pool's PGs: to their primaries for what is written, and for
//! what is read where reads are not localized; else to the nearest replica, which is Ceph's own rule.
//!
//! Always true: a host of which it is not known where it stands is neither preferred nor avoided; and
//! what the chance by which PGs fell explains is no difference ([`Nearness`]).

mod nearness;
mod spread;
mod tree;

pub use nearness::{Nearness, Purpose, Standing};
pub use spread::Spread;
pub use tree::{Path, Tree};

//! Nouns and rules of Cuttle: what exists, which states it may be in, what may be asked of it.
//!
//! Everything here is plain data and pure functions. There is no I/O, no async and no clock that
//! ticks by itself: time, ids and randomness come in through [`clock::Clock`] and [`ids::Ids`].
//!
//! Read [`instance`] first, then [`machine`], which says for each state and request what happens.

pub mod aggregate;
pub mod capacity;
pub mod client;
pub mod clock;
pub mod crush;
pub mod disk;
pub mod disk_limits;
pub mod fault;
pub mod flavor;
pub mod guest_specs;
pub mod host;
pub mod host_event;
pub mod identity;
pub mod ids;
pub mod image;
pub mod instance;
pub mod keypair;
pub mod machine;
pub mod migration;
pub mod operation;
pub mod placement;
pub mod quota;
pub mod server_group;
pub mod storage_health;
pub mod wire;

//! What Cuttle does: one file for each operation, and the engine that carries them out.
//!
//! An operation is a list of steps that reads from top to bottom; each step is safe to run twice and
//! has an undo or says why it has none. The engine journals every step, so that any control node goes
//! on where another was lost.
//!
//! What must always hold, and where it is seen to:
//! - A guest runs only in the newest epoch, after its clients were recorded: [`guest`].
//! - An operation that cannot finish ends where it began: [`engine`].
//! - A disk leaves a pool only through the trash: [`delete`], and the purge in [`purge`], which asks
//!   the database whether any row still names it.

pub mod config_drive;
pub mod console;
pub mod control;
pub mod create;
pub mod delete;
pub mod drain;
pub mod engine;
pub mod error;
pub mod host_keys;
pub mod hosts;
pub mod image;
pub mod join;
pub mod moving;
pub mod placement;
pub mod power;
pub mod reconcile;

mod agent;
mod disks;
mod events;
mod guest;
pub mod health;
mod host_numbers;
mod liveness;
mod membership;
mod new_run;
mod pause;
mod purge;
mod reboot;
mod start;
mod stop;

pub use control::{Control, JoinError, Parts, Requester, Settings};
/// What placement is asked with.
pub use cuttle_scheduler as scheduler;
pub use error::{HostError, ImportError, RequestError};
pub use health::Check;

//! The unwind kit: a table of operations, a script that cuts them off, a world to do it in, and what must hold afterwards.

// Each test binary uses a part.
#![allow(dead_code, unused_imports)]

mod agent;
mod clock;
mod invariants;
mod life;
pub mod operations;
mod run;
pub mod scenarios;
mod script;
mod witness;
mod world;

use cuttle_model::operation::OperationKind;

pub use run::{run_all, sample, seed};
pub use world::{memory_world, real_world};

use operations::Entry;

/// Kinds of operation that the table forgets.
pub fn kinds_without_entry(entries: &[Entry]) -> Vec<OperationKind> {
    OperationKind::ALL.into_iter().filter(|kind| kind.has_steps() && entries.iter().all(|entry| entry.kind != *kind)).collect()
}

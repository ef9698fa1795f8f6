//! The engine: carries operations out, step by step, through crashes.
//!
//! - **Lease.** Who works on an operation holds its lease. Every write names the lease's epoch, so that
//!   a worker whose lease was taken over stops at its next write. Leases are renewed all at once.
//! - **Journal.** Before a step is attempted this is written, together with the end of the attempt
//!   before it: one commit a step. After a crash the step that was under way is run again, so a step
//!   must be safe to run twice, and must find out for itself how far it came.
//! - **Fence.** A node that goes silent is fenced in Ceph before anybody takes its operations over; one that finds itself
//!   fenced decides nothing about what it was doing, and drops it ([`crate::control::Control::join`]).
//! - **Retry.** What may work later is tried again after a growing wait, a bounded number of times.
//! - **Undo.** When a step has failed, or the operation was cancelled, that step and those before it
//!   are undone, last first. An undo must be safe to run when its step never ran, or ran half.
//! - **Parked.** An undo that fails for good leaves the operation parked and its instance in error,
//!   with the reason: nobody guesses.
//! - **End.** The operation's end and what becomes of its subject are one transaction, which also
//!   starts the operation that waited for it.

mod context;
mod error;
mod probe;
mod registry;
mod runner;
mod steps;
mod worker;

pub use context::Context;
pub use cuttle_database::ClaimEnd;
pub use error::StepError;
pub use probe::{Point, Probe};
pub use registry::{StepShape, shape};
pub use steps::{Outcome, Step, Steps, Undo};
pub use worker::Engine;

pub(crate) use steps::step;
pub(crate) use worker::finish;

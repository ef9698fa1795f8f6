//! Choosing a host: hosts and a request in, a choice and its reasons out.
//!
//! Pure: no I/O, no clock, no randomness. Filters and weighers have Nova's names and meanings, a
//! file each. Whoever calls this makes the claim afterwards, in a transaction that checks it again;
//! so a choice made from figures that are a moment old is never wrong, only repeated.
//!
//! Fast, because what is asked of thousands of hosts is asked of columns: a [`Snapshot`] keeps each
//! figure of all hosts in one array, and hosts that are alike in all that is text (zone, aggregates,
//! architecture, versions) share a class, which is asked once. Nothing is allocated per host.

mod choice;
mod filters;
mod locality;
mod operators;
mod request;
mod rules;
mod settings;
mod simulation;
mod snapshot;
mod weighers;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod test_hosts;

pub use choice::{Choice, Chosen, Scratch, World, choose};
pub use filters::Filter;
pub use locality::{Nearness, Path, Purpose, Spread, Standing, Tree};
pub use request::{Group, Request, Target};
pub use settings::{Driver, Overcommit, Settings};
pub use simulation::{Loss, Placed, Tenant, absorb};
pub use snapshot::{HostInput, Limits, Snapshot};
pub use weighers::Weigher;

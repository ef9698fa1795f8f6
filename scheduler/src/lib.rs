//! Choosing a host: hosts and a request in, ranked hosts and reasons out.
//!
//! Pure: no I/O, no clock, no randomness. Filters and weighers have Nova's names and meanings, a
//! file each. Whoever calls this makes the claim afterwards, in a transaction that checks it again;
//! so a choice made from figures that are a moment old is never wrong, only repeated.

mod choice;
mod filters;
mod weighers;

#[cfg(test)]
mod test_hosts;

pub use choice::{Choice, HostView, Ranked, Removed, Request, Shortfall, World, choose};
pub use filters::{Filter, Verdict};
pub use weighers::Weigher;

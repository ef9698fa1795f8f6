//! Moving an instance: another host, another flavor, or both; and then the answer whether that is to stay.
//!
//! ```text
//! Active, Stopped ── resize, migrate ──► Resized ── confirm ──► Active, Stopped  (what was kept is gone)
//!                                           └────── revert ───► Active, Stopped  (where and as it was)
//! ```
//! Every disk is in Ceph, so a move copies nothing: it is a new epoch elsewhere. Always true: the instance has room on
//! both hosts from the request until the answer, so a revert never fails for want of it; no guest is created in the new
//! place before every client of the old one is proven gone.

mod auto_confirm;
mod begin;
mod confirm;
mod disk;
mod relocation;
mod resize;
mod revert;

pub(crate) use auto_confirm::run as confirm_overdue;
pub use begin::{Move, begin};
pub(crate) use confirm::Confirm;
pub(crate) use resize::Resize;
pub(crate) use revert::Revert;

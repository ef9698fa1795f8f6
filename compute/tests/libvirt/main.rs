//! The agent on a real libvirtd.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod contract;
mod guests;
mod host;
mod secrets;
mod support;

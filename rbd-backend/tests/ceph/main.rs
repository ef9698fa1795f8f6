//! Every call of the crate on a real cluster (`CUTTLE_TEST_CEPH_CONF`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
mod support;

mod clones;
mod cluster;
mod contract;
mod listing;
mod refusals;
mod rights;
mod streams;
mod users;
mod watchers;

//! What stands in for Ceph and libvirt where the real ones cannot be used a thousand times a minute, and the contract suites
//! that the real ones pass too.
//!
//! Never part of what ships: no crate depends on this but for its own tests, which a test checks.

// What tests are made of; a test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

pub mod contract;
pub mod hypervisor;
pub mod storage;

pub use hypervisor::{MemoryHypervisor, Watches};
pub use storage::{MemoryCluster, MemoryStorage};

//! The contract suites: what a stand-in and the real thing must both do.

pub mod hypervisor;
pub mod storage;

//! The readers, held against images that `qemu-img` made, and against files that are broken or hostile.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

mod hostile;
mod qemu;
mod support;

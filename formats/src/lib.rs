//! Disk image files: what format one is in, and where in it each part of the disk lies. Readers for qcow2, VMDK, VDI
//! and VHD, written for files that strangers upload.
//!
//! What always holds: no input makes a reader panic, loop without end, or hold more than a few megabytes; a reader never opens
//! another file, so an image that needs one (a backing file, a parent, an external extent) is refused; sizes are
//! checked before anything of that size is read or written.
//!
//! What it does not do: it writes no format, reads no snapshots inside an image, and knows neither Ceph nor HTTP: bytes
//! come from a [`Source`] and go to a [`Sink`].

mod cache;
mod codec;
mod copy;
mod detect;
mod disk;
mod error;
mod extent;
mod fields;
mod qcow2;
mod vdi;
mod vhd;
mod vmdk;

pub use copy::{Sink, copy};
pub use detect::{Format, START_BYTES, TAIL_BYTES, check, detect};
pub use disk::{Disk, Limits};
pub use error::Error;
pub use extent::{Codec, Data, Extent};

use bytes::Bytes;
use std::future::Future;

/// Why a [`Source`] or a [`Sink`] could not do it.
pub type OutsideError = Box<dyn std::error::Error + Send + Sync>;

/// The bytes of an image file.
pub trait Source: Send + Sync {
    fn size_bytes(&self) -> u64;

    /// Exactly `length` bytes from `offset` on; both lie within the size.
    fn read_at(&self, offset: u64, length: usize) -> impl Future<Output = Result<Bytes, OutsideError>> + Send;
}

//! Snapshots of an open image.

use super::errno::{Result, check};
use super::image::{Image, no_progress};
use super::{raw, text};
use std::ptr;

#[derive(Debug)]
pub(crate) struct RawSnapshot {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) size_bytes: u64,
    /// False for those of librbd's own making: a deleted parent's, a group's.
    pub(crate) made_by_user: bool,
}

impl Image {
    pub(crate) fn create_snapshot(&self, name: &str) -> Result<()> {
        let name = text::to_c(name)?;
        // No quiesce: nobody here registers for it, and an agent freezes its guest itself.
        let flags = raw::RBD_SNAP_CREATE_SKIP_QUIESCE;
        // SAFETY: a live handle and a NUL-terminated string; the progress function ignores its data.
        check(unsafe { raw::rbd_snap_create2(self.handle(), name.as_ptr(), flags, Some(no_progress), ptr::null_mut()) }).map(drop)
    }

    pub(crate) fn remove_snapshot(&self, name: &str) -> Result<()> {
        let name = text::to_c(name)?;
        // SAFETY: as above.
        check(unsafe { raw::rbd_snap_remove2(self.handle(), name.as_ptr(), 0, Some(no_progress), ptr::null_mut()) }).map(drop)
    }

    pub(crate) fn protect_snapshot(&self, name: &str) -> Result<()> {
        let name = text::to_c(name)?;
        // SAFETY: a live handle and a NUL-terminated string.
        check(unsafe { raw::rbd_snap_protect(self.handle(), name.as_ptr()) }).map(drop)
    }

    pub(crate) fn unprotect_snapshot(&self, name: &str) -> Result<()> {
        let name = text::to_c(name)?;
        // SAFETY: a live handle and a NUL-terminated string.
        check(unsafe { raw::rbd_snap_unprotect(self.handle(), name.as_ptr()) }).map(drop)
    }

    pub(crate) fn is_snapshot_protected(&self, name: &str) -> Result<bool> {
        let name = text::to_c(name)?;
        let mut protected = 0;
        // SAFETY: a live handle, a NUL-terminated string and a place for the answer.
        check(unsafe { raw::rbd_snap_is_protected(self.handle(), name.as_ptr(), &mut protected) })?;
        Ok(protected != 0)
    }

    pub(crate) fn snapshots(&self) -> Result<Vec<RawSnapshot>> {
        let mut capacity = 16usize;
        loop {
            let mut found = vec![raw::rbd_snap_info_t { id: 0, size: 0, name: ptr::null() }; capacity];
            let mut count = i32::try_from(capacity).unwrap_or(i32::MAX);
            // SAFETY: `found` has room for `count` entries.
            let filled = match check(unsafe { raw::rbd_snap_list(self.handle(), found.as_mut_ptr(), &mut count) }) {
                Ok(filled) => usize::try_from(filled).unwrap_or(0).min(found.len()),
                Err(super::errno::Errno::RANGE) => {
                    capacity = usize::try_from(count).unwrap_or(0).max(capacity * 2);
                    continue;
                }
                Err(errno) => return Err(errno),
            };
            let listed: Vec<(u64, String, u64)> = found[..filled]
                .iter()
                // SAFETY: filled by librbd, copied before it is freed.
                .map(|snapshot| (snapshot.id, unsafe { text::from_c(snapshot.name) }, snapshot.size))
                .collect();
            if filled > 0 {
                // SAFETY: filled by librbd; freed once. It walks to the terminating entry, which librbd wrote.
                unsafe { raw::rbd_snap_list_end(found.as_mut_ptr()) };
            }
            return listed
                .into_iter()
                .map(|(id, name, size_bytes)| Ok(RawSnapshot { id, name, size_bytes, made_by_user: self.is_user_snapshot(id)? }))
                .collect();
        }
    }

    fn is_user_snapshot(&self, id: u64) -> Result<bool> {
        let mut kind: raw::rbd_snap_namespace_type_t = 0;
        // SAFETY: a live handle and a place for the answer.
        check(unsafe { raw::rbd_snap_get_namespace_type(self.handle(), id, &mut kind) })?;
        Ok(kind == raw::RBD_SNAP_NAMESPACE_TYPE_USER)
    }
}

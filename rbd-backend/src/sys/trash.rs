//! A pool's trash: move, list, restore, remove.

use super::errno::{Result, check};
use super::image::no_progress;
use super::ioctx::IoCtx;
use super::{raw, text};
use std::ptr;

#[derive(Debug)]
pub(crate) struct RawTrashEntry {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) source: u32,
    /// Seconds since 1970.
    pub(crate) deleted_at: i64,
    pub(crate) deferment_end: i64,
}

fn copy(info: &raw::rbd_trash_image_info_t) -> RawTrashEntry {
    RawTrashEntry {
        // SAFETY: filled by librbd and not yet freed: the callers free it after this.
        id: unsafe { text::from_c(info.id) },
        // SAFETY: as above.
        name: unsafe { text::from_c(info.name) },
        source: info.source,
        deleted_at: info.deletion_time,
        deferment_end: info.deferment_end_time,
    }
}

/// All zeroes: null strings and times of nothing.
fn empty() -> raw::rbd_trash_image_info_t {
    // SAFETY: a plain C struct of integers and pointers.
    unsafe { std::mem::zeroed() }
}

impl IoCtx {
    pub(crate) fn move_to_trash(&self, name: &str, delay_seconds: u64) -> Result<()> {
        let name = text::to_c(name)?;
        // SAFETY: a live handle and a NUL-terminated string.
        check(unsafe { raw::rbd_trash_move(self.handle(), name.as_ptr(), delay_seconds) }).map(drop)
    }

    pub(crate) fn trash_entry(&self, id: &str) -> Result<RawTrashEntry> {
        let id = text::to_c(id)?;
        let mut info = empty();
        // SAFETY: a live handle, a NUL-terminated string and a place for the answer.
        check(unsafe { raw::rbd_trash_get(self.handle(), id.as_ptr(), &mut info) })?;
        let entry = copy(&info);
        // SAFETY: filled by librbd, freed once.
        unsafe { raw::rbd_trash_get_cleanup(&mut info) };
        Ok(entry)
    }

    pub(crate) fn list_trash(&self) -> Result<Vec<RawTrashEntry>> {
        text::grow(64, |capacity| {
            let mut found: Vec<_> = (0..*capacity).map(|_| empty()).collect();
            // SAFETY: `found` has room for `capacity` entries.
            let code = unsafe { raw::rbd_trash_list(self.handle(), found.as_mut_ptr(), capacity) };
            if code < 0 {
                return (code, Vec::new());
            }
            let filled = (*capacity).min(found.len());
            let entries = found[..filled].iter().map(copy).collect();
            // SAFETY: filled by librbd, freed once.
            unsafe { raw::rbd_trash_list_cleanup(found.as_mut_ptr(), filled) };
            (0, entries)
        })
    }

    pub(crate) fn restore_from_trash(&self, id: &str, name: &str) -> Result<()> {
        let (id, name) = (text::to_c(id)?, text::to_c(name)?);
        // SAFETY: a live handle and NUL-terminated strings.
        check(unsafe { raw::rbd_trash_restore(self.handle(), id.as_ptr(), name.as_ptr()) }).map(drop)
    }

    /// Deletes the image's data. Without `force`, librbd refuses before the deferment's end.
    pub(crate) fn remove_from_trash(&self, id: &str, force: bool) -> Result<()> {
        let id = text::to_c(id)?;
        // SAFETY: a live handle and a NUL-terminated string; the progress function ignores its data.
        check(unsafe {
            raw::rbd_trash_remove_with_progress(self.handle(), id.as_ptr(), force, Some(no_progress), ptr::null_mut())
        })
        .map(drop)
    }
}

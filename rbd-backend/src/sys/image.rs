//! An open image: what it is, who watches it, grow, close.

use super::errno::{Errno, Result, check};
use super::ioctx::IoCtx;
use super::{raw, text};
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;

/// How an image is named in its pool. An id never changes and is never used again; a name may.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ImageRef {
    Name(String),
    Id(String),
}

/// Opening for reading takes no watch, so it does not show among the image's watchers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    ReadOnly,
    ReadWrite,
}

/// An open `rbd_image_t`. It keeps its pool's context alive.
///
/// Dropping it hands it to the connection's closer, so it may be dropped anywhere; `close` waits and reports instead.
pub(crate) struct Image {
    handle: raw::rbd_image_t,
    ioctx: Arc<IoCtx>,
    open: bool,
}

// SAFETY: librbd locks inside; an image may be used from several threads.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

#[derive(Debug)]
pub(crate) struct RawParent {
    pub(crate) pool: String,
    pub(crate) image: String,
    pub(crate) image_id: String,
    pub(crate) snapshot: String,
}

#[derive(Debug)]
pub(crate) struct RawWatcher {
    pub(crate) address: String,
    pub(crate) client_id: u64,
    pub(crate) cookie: u64,
}

/// librbd calls its progress function without looking whether there is one.
pub(super) unsafe extern "C" fn no_progress(_offset: u64, _total: u64, _data: *mut c_void) -> c_int {
    0
}

impl Image {
    /// Takes over a handle that librbd has opened.
    pub(super) fn adopt(handle: raw::rbd_image_t, ioctx: Arc<IoCtx>) -> Image {
        Image { handle, ioctx, open: true }
    }

    /// Blocks until open.
    pub(crate) fn open(ioctx: &Arc<IoCtx>, which: &ImageRef, access: Access) -> Result<Image> {
        let mut handle: raw::rbd_image_t = ptr::null_mut();
        let head: *const c_char = ptr::null();
        let io = ioctx.handle();
        let (ImageRef::Name(text) | ImageRef::Id(text)) = which;
        let text = text::to_c(text)?;
        // SAFETY: live handles, NUL-terminated strings, and null for "no snapshot".
        let code = unsafe {
            match (which, access) {
                (ImageRef::Name(_), Access::ReadOnly) => raw::rbd_open_read_only(io, text.as_ptr(), &mut handle, head),
                (ImageRef::Name(_), Access::ReadWrite) => raw::rbd_open(io, text.as_ptr(), &mut handle, head),
                (ImageRef::Id(_), Access::ReadOnly) => raw::rbd_open_by_id_read_only(io, text.as_ptr(), &mut handle, head),
                (ImageRef::Id(_), Access::ReadWrite) => raw::rbd_open_by_id(io, text.as_ptr(), &mut handle, head),
            }
        };
        check(code)?;
        Ok(Image::adopt(handle, Arc::clone(ioctx)))
    }

    /// Blocks until closed: locks released, watch gone. Never from a callback.
    pub(crate) fn close(mut self) -> Result<()> {
        self.open = false;
        // SAFETY: open until here, and closed once.
        check(unsafe { raw::rbd_close(self.handle) }).map(drop)
    }

    /// Gives the handle away without closing it.
    pub(super) fn dismantle(mut self) -> (raw::rbd_image_t, Arc<IoCtx>) {
        self.open = false;
        (self.handle, Arc::clone(&self.ioctx))
    }

    pub(super) fn handle(&self) -> raw::rbd_image_t {
        self.handle
    }

    pub(crate) fn id(&self) -> Result<String> {
        let mut buffer = [0u8; 256];
        // SAFETY: the buffer's length is given.
        check(unsafe { raw::rbd_get_id(self.handle, buffer.as_mut_ptr().cast(), buffer.len()) })?;
        Ok(text::from_buffer(&buffer))
    }

    pub(crate) fn name(&self) -> Result<String> {
        text::grow(256, |length| {
            let mut buffer = vec![0u8; *length];
            // SAFETY: the buffer's length is given.
            let code = unsafe { raw::rbd_get_name(self.handle, buffer.as_mut_ptr().cast(), length) };
            (code, text::from_buffer(&buffer))
        })
    }

    pub(crate) fn size_bytes(&self) -> Result<u64> {
        let mut size = 0;
        // SAFETY: a live handle and a place for the answer.
        check(unsafe { raw::rbd_get_size(self.handle, &mut size) })?;
        Ok(size)
    }

    pub(crate) fn features(&self) -> Result<u64> {
        let mut features = 0;
        // SAFETY: a live handle and a place for the answer.
        check(unsafe { raw::rbd_get_features(self.handle, &mut features) })?;
        Ok(features)
    }

    /// The snapshot that a clone was made from; none for a flat image.
    pub(crate) fn parent(&self) -> Result<Option<RawParent>> {
        // SAFETY: both are plain C structs of integers and pointers, for which all zeroes is a value.
        let (mut image, mut snapshot): (raw::rbd_linked_image_spec_t, raw::rbd_snap_spec_t) = unsafe { std::mem::zeroed() };
        // SAFETY: places for the answer, filled by librbd with strings of its own.
        match check(unsafe { raw::rbd_get_parent(self.handle, &mut image, &mut snapshot) }) {
            Ok(_) => {}
            Err(Errno::NOT_FOUND) => return Ok(None),
            Err(errno) => return Err(errno),
        }
        // SAFETY: filled by librbd above; copied, then freed once.
        unsafe {
            let parent = RawParent {
                pool: text::from_c(image.pool_name),
                image: text::from_c(image.image_name),
                image_id: text::from_c(image.image_id),
                snapshot: text::from_c(snapshot.name),
            };
            raw::rbd_linked_image_spec_cleanup(&mut image);
            raw::rbd_snap_spec_cleanup(&mut snapshot);
            Ok(Some(parent))
        }
    }

    /// Grows the image, running guests included; librbd refuses to shrink here.
    pub(crate) fn grow(&self, size_bytes: u64) -> Result<()> {
        // SAFETY: a live handle; the progress function ignores its data.
        check(unsafe { raw::rbd_resize2(self.handle, size_bytes, false, Some(no_progress), ptr::null_mut()) }).map(drop)
    }

    /// Makes the image this large, cutting off what is beyond.
    pub(crate) fn set_size(&self, size_bytes: u64) -> Result<()> {
        // SAFETY: a live handle; the progress function ignores its data.
        check(unsafe { raw::rbd_resize2(self.handle, size_bytes, true, Some(no_progress), ptr::null_mut()) }).map(drop)
    }

    /// All metadata, sorted by key.
    pub(crate) fn metadata(&self) -> Result<Vec<(String, String)>> {
        let mut sizes = (1024usize, 4096usize);
        loop {
            let (mut keys, mut values) = (vec![0u8; sizes.0], vec![0u8; sizes.1]);
            let asked = sizes;
            // SAFETY: both buffers' lengths are given; zero as the maximum means all.
            let code = unsafe {
                raw::rbd_metadata_list(
                    self.handle,
                    c"".as_ptr(),
                    0,
                    keys.as_mut_ptr().cast(),
                    &mut sizes.0,
                    values.as_mut_ptr().cast(),
                    &mut sizes.1,
                )
            };
            match check(code) {
                Ok(_) => {
                    return Ok(text::split_list(&keys, sizes.0).into_iter().zip(text::split_list(&values, sizes.1)).collect());
                }
                Err(Errno::RANGE) if asked.1 < 1 << 26 => sizes = (sizes.0.max(asked.0 * 2), sizes.1.max(asked.1 * 2)),
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Who holds a watch on the image's header: every client that has it open for writing, ourselves included.
    pub(crate) fn watchers(&self) -> Result<Vec<RawWatcher>> {
        text::grow(8, |capacity| {
            let mut found = vec![raw::rbd_image_watcher_t { addr: ptr::null_mut(), id: 0, cookie: 0 }; *capacity];
            // SAFETY: `found` has room for `capacity` entries.
            let code = unsafe { raw::rbd_watchers_list(self.handle, found.as_mut_ptr(), capacity) };
            if code < 0 {
                return (code, Vec::new());
            }
            let filled = (*capacity).min(found.len());
            let watchers = found[..filled]
                .iter()
                .map(|watcher| RawWatcher {
                    // SAFETY: filled by librbd, copied before it is freed.
                    address: unsafe { text::from_c(watcher.addr) },
                    client_id: watcher.id.cast_unsigned(),
                    cookie: watcher.cookie,
                })
                .collect();
            // SAFETY: filled by librbd, freed once.
            unsafe { raw::rbd_watchers_list_cleanup(found.as_mut_ptr(), filled) };
            (0, watchers)
        })
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if self.open {
            self.ioctx.connection().closer.close(self.handle, Arc::clone(&self.ioctx));
        }
    }
}

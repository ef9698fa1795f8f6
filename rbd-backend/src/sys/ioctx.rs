//! A pool's I/O context, and what librbd does with image names in it: create, clone, rename, list.

use super::connection::Connection;
use super::errno::{Errno, Result, check};
use super::options::ImageOptions;
use super::{raw, text};
use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;

/// A `rados_ioctx_t` for one pool. It keeps its connection alive.
///
/// librbd duplicates it for each image, so one serves all threads; nothing here changes its namespace or snapshot.
pub(crate) struct IoCtx {
    handle: raw::rados_ioctx_t,
    pool_id: i64,
    connection: Arc<Connection>,
}

// SAFETY: librados documents its handles as usable from several threads.
unsafe impl Send for IoCtx {}
// SAFETY: as above.
unsafe impl Sync for IoCtx {}

impl IoCtx {
    pub(crate) fn create(connection: &Arc<Connection>, pool_id: i64) -> Result<IoCtx> {
        let mut handle: raw::rados_ioctx_t = ptr::null_mut();
        // SAFETY: a live connection; the handle is owned by the value made from it.
        check(unsafe { raw::rados_ioctx_create2(connection.handle(), pool_id, &mut handle) })?;
        // A full pool then answers with an error; otherwise every change would hang until there is room.
        // SAFETY: the handle that was just made.
        unsafe { raw::rados_set_pool_full_try(handle) };
        Ok(IoCtx { handle, pool_id, connection: Arc::clone(connection) })
    }

    pub(super) fn handle(&self) -> raw::rados_ioctx_t {
        self.handle
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(crate) fn pool_id(&self) -> i64 {
        self.pool_id
    }

    /// Makes the pool one for images: application `rbd` and librbd's own object. Safe to repeat.
    pub(crate) fn initialize_for_images(&self) -> Result<()> {
        // SAFETY: a live handle.
        check(unsafe { raw::rbd_pool_init(self.handle, false) }).map(drop)
    }

    /// Names the application that uses the pool; one that has it already is left alone.
    pub(crate) fn enable_application(&self, application: &str) -> Result<()> {
        let application = text::to_c(application)?;
        // SAFETY: a live handle and a NUL-terminated string.
        check(unsafe { raw::rados_application_enable(self.handle, application.as_ptr(), 0) }).map(drop)
    }

    pub(crate) fn create_image(&self, name: &str, size_bytes: u64, options: &ImageOptions) -> Result<()> {
        let name = text::to_c(name)?;
        // SAFETY: live handles and a NUL-terminated string.
        check(unsafe { raw::rbd_create4(self.handle, name.as_ptr(), size_bytes, options.handle()) }).map(drop)
    }

    /// Clones `parent`'s `image@snapshot` into this pool.
    pub(crate) fn clone_image(
        &self,
        parent: &IoCtx,
        image: &str,
        snapshot: &str,
        name: &str,
        options: &ImageOptions,
    ) -> Result<()> {
        let (image, snapshot, name) = (text::to_c(image)?, text::to_c(snapshot)?, text::to_c(name)?);
        // SAFETY: live handles and NUL-terminated strings.
        check(unsafe {
            raw::rbd_clone3(parent.handle, image.as_ptr(), snapshot.as_ptr(), self.handle, name.as_ptr(), options.handle())
        })
        .map(drop)
    }

    pub(crate) fn rename_image(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (text::to_c(from)?, text::to_c(to)?);
        // SAFETY: a live handle and NUL-terminated strings.
        check(unsafe { raw::rbd_rename(self.handle, from.as_ptr(), to.as_ptr()) }).map(drop)
    }

    /// Each image's id and name, without opening any.
    pub(crate) fn list_images(&self) -> Result<Vec<(String, String)>> {
        text::grow(64, |capacity| {
            let mut specs = vec![raw::rbd_image_spec_t { id: ptr::null_mut(), name: ptr::null_mut() }; *capacity];
            // SAFETY: `specs` has room for `capacity` entries.
            let code = unsafe { raw::rbd_list2(self.handle, specs.as_mut_ptr(), capacity) };
            if code < 0 {
                return (code, Vec::new());
            }
            let filled = (*capacity).min(specs.len());
            // SAFETY: librbd filled this many entries with strings of its own, which are copied before they are freed.
            let found = specs[..filled].iter().map(|spec| unsafe { (text::from_c(spec.id), text::from_c(spec.name)) }).collect();
            // SAFETY: as above, freed once.
            unsafe { raw::rbd_image_spec_list_cleanup(specs.as_mut_ptr(), filled) };
            (0, found)
        })
    }

    /// An image's id from its name: one small read of `rbd_id.<name>`, without opening the image.
    pub(crate) fn image_id(&self, name: &str) -> Result<String> {
        let object = text::to_c(&format!("rbd_id.{name}"))?;
        let mut buffer = [0u8; 256];
        // SAFETY: the buffer's length is given.
        let code =
            unsafe { raw::rados_read(self.handle, object.as_ptr(), buffer.as_mut_ptr().cast::<c_char>(), buffer.len(), 0) };
        let length = usize::try_from(check(code)?).unwrap_or(0);
        decode_string(&buffer[..length]).ok_or(Errno::MALFORMED)
    }
}

impl Drop for IoCtx {
    fn drop(&mut self) {
        // SAFETY: the last owner; images hold their own duplicate.
        unsafe { raw::rados_ioctx_destroy(self.handle) };
    }
}

/// Ceph's encoding of a string: little-endian length, then the bytes.
pub(crate) fn decode_string(encoded: &[u8]) -> Option<String> {
    let (length, rest) = encoded.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    rest.get(..length).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::decode_string;

    #[test]
    fn decodes_ids_and_refuses_short_ones() {
        assert_eq!(decode_string(b"\x03\0\0\0abc").as_deref(), Some("abc"));
        assert_eq!(decode_string(b"\x04\0\0\0abc"), None);
        assert_eq!(decode_string(b"\x04"), None);
    }
}

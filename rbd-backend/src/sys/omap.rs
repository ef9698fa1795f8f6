//! Reading an object's omap, where librbd keeps a pool's directory and each image's header.

use super::errno::{Result, check};
use super::ioctx::IoCtx;
use super::{raw, text};
use std::ffi::{c_char, c_uchar};
use std::ptr;

/// One entry of an omap.
pub(crate) type Entry = (String, Vec<u8>);

impl IoCtx {
    /// At the most `limit` entries whose key begins with `prefix` and comes after `after`, in the order of their keys.
    pub(crate) fn omap_entries(&self, object: &str, after: &str, prefix: &str, limit: usize) -> Result<Vec<Entry>> {
        let (object, after, prefix) = (text::to_c(object)?, text::to_c(after)?, text::to_c(prefix)?);
        let operation = ReadOperation::new();
        let (mut found, mut more, mut code) = (OmapList(ptr::null_mut()), 0 as c_uchar, 0);
        // SAFETY: a live operation, NUL-terminated strings that librados copies, and places that outlive the operation.
        unsafe {
            raw::rados_read_op_omap_get_vals2(
                operation.0,
                after.as_ptr(),
                prefix.as_ptr(),
                limit as u64,
                &mut found.0,
                &mut more,
                &mut code,
            );
        }
        // SAFETY: live handles and a NUL-terminated string.
        check(unsafe { raw::rados_read_op_operate(operation.0, self.handle(), object.as_ptr(), 0) })?;
        check(code)?;
        found.collect()
    }
}

struct ReadOperation(raw::rados_read_op_t);

impl ReadOperation {
    fn new() -> ReadOperation {
        // SAFETY: makes a handle, owned by the value.
        ReadOperation(unsafe { raw::rados_create_read_op() })
    }
}

impl Drop for ReadOperation {
    fn drop(&mut self) {
        // SAFETY: made in `new`, released once.
        unsafe { raw::rados_release_read_op(self.0) };
    }
}

/// librados' list of what was found; it owns keys and values.
struct OmapList(raw::rados_omap_iter_t);

impl OmapList {
    fn collect(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        loop {
            let (mut key, mut value) = (ptr::null_mut::<c_char>(), ptr::null_mut::<c_char>());
            let (mut key_length, mut value_length) = (0, 0);
            // SAFETY: a list that its operation has filled, and places for the answer.
            check(unsafe { raw::rados_omap_get_next2(self.0, &mut key, &mut value, &mut key_length, &mut value_length) })?;
            if key.is_null() {
                return Ok(entries);
            }
            // SAFETY: librados says how long each is; both live as long as the list and are copied here.
            let (key, value) = unsafe { (bytes(key, key_length), bytes(value, value_length)) };
            entries.push((String::from_utf8_lossy(key).into_owned(), value.to_vec()));
        }
    }
}

impl Drop for OmapList {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: made by the operation, freed once.
            unsafe { raw::rados_omap_get_end(self.0) };
        }
    }
}

/// # Safety
/// `start` is null, or `length` bytes are there for as long as the answer is used.
unsafe fn bytes<'a>(start: *const c_char, length: usize) -> &'a [u8] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: by the caller's promise.
    unsafe { std::slice::from_raw_parts(start.cast(), length) }
}

//! Changing an image's metadata by its id, in one atomic step and without opening the image.
//!
//! librbd's own call sets one key and needs the image open. The same class methods on the header object, put into one
//! operation, change all keys or none: an image never has half an owner.

use super::errno::{Result, check};
use super::ioctx::IoCtx;
use super::{raw, text};

/// What is put into an image's metadata and what is taken out.
#[derive(Debug, Default)]
pub(crate) struct MetadataChange<'a> {
    pub(crate) set: Vec<(&'a str, &'a str)>,
    pub(crate) remove: Vec<&'a str>,
}

impl MetadataChange<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }
}

impl IoCtx {
    pub(crate) fn change_metadata(&self, image_id: &str, change: &MetadataChange<'_>) -> Result<()> {
        if change.is_empty() {
            return Ok(());
        }
        let header = text::to_c(&format!("rbd_header.{image_id}"))?;
        let operation = WriteOperation::new();
        // Without this, the header of an image that has just gone would be made anew.
        // SAFETY: a live operation.
        unsafe { raw::rados_write_op_assert_exists(operation.0) };
        for key in &change.remove {
            let mut input = Vec::new();
            encode_string(&mut input, key);
            operation.execute(c"metadata_remove", &input);
        }
        if !change.set.is_empty() {
            let mut input = u32::try_from(change.set.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
            for (key, value) in &change.set {
                encode_string(&mut input, key);
                encode_string(&mut input, value);
            }
            operation.execute(c"metadata_set", &input);
        }
        // SAFETY: live handles, a NUL-terminated string; null for "now".
        check(unsafe { raw::rados_write_op_operate(operation.0, self.handle(), header.as_ptr(), std::ptr::null_mut(), 0) })
            .map(drop)
    }
}

struct WriteOperation(raw::rados_write_op_t);

impl WriteOperation {
    fn new() -> WriteOperation {
        // SAFETY: makes a handle, owned by the value.
        WriteOperation(unsafe { raw::rados_create_write_op() })
    }

    fn execute(&self, method: &std::ffi::CStr, input: &[u8]) {
        // SAFETY: a live operation and NUL-terminated strings; librados copies the input. Null for "no own result".
        unsafe {
            raw::rados_write_op_exec(
                self.0,
                c"rbd".as_ptr(),
                method.as_ptr(),
                input.as_ptr().cast(),
                input.len(),
                std::ptr::null_mut(),
            );
        }
    }
}

impl Drop for WriteOperation {
    fn drop(&mut self) {
        // SAFETY: made in `new`, released once.
        unsafe { raw::rados_release_write_op(self.0) };
    }
}

/// Ceph's encoding of a string or a buffer: little-endian length, then the bytes.
fn encode_string(output: &mut Vec<u8>, text: &str) {
    output.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    output.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::encode_string;

    #[test]
    fn strings_are_encoded_with_their_length_first() {
        let mut output = Vec::new();
        encode_string(&mut output, "ab");
        assert_eq!(output, b"\x02\0\0\0ab");
    }
}

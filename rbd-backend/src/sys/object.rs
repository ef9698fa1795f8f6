//! Single objects of a pool.

use super::errno::{Result, check};
use super::ioctx::IoCtx;
use super::{raw, text};

impl IoCtx {
    /// A context of the same pool in a namespace.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Result<IoCtx> {
        let namespace = text::to_c(namespace)?;
        let context = IoCtx::create(self.connection(), self.pool_id())?;
        // SAFETY: a live handle that nobody else has yet, and a NUL-terminated string, which librados copies.
        unsafe { raw::rados_ioctx_set_namespace(context.handle(), namespace.as_ptr()) };
        Ok(context)
    }

    /// Makes the object's data just this.
    pub(crate) fn write_object(&self, object: &str, data: &[u8]) -> Result<()> {
        let object = text::to_c(object)?;
        // SAFETY: a live handle, a NUL-terminated string, and a buffer whose length is given.
        check(unsafe { raw::rados_write_full(self.handle(), object.as_ptr(), data.as_ptr().cast(), data.len()) }).map(drop)
    }

    /// The object's first bytes.
    pub(crate) fn read_object(&self, object: &str, length: usize) -> Result<Vec<u8>> {
        let object = text::to_c(object)?;
        let mut buffer = vec![0u8; length];
        // SAFETY: as above; librados writes no more than the length that is given.
        let read = unsafe { raw::rados_read(self.handle(), object.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        buffer.truncate(usize::try_from(check(read)?).unwrap_or(0));
        Ok(buffer)
    }

    pub(crate) fn remove_object(&self, object: &str) -> Result<()> {
        let object = text::to_c(object)?;
        // SAFETY: a live handle and a NUL-terminated string.
        check(unsafe { raw::rados_remove(self.handle(), object.as_ptr()) }).map(drop)
    }
}

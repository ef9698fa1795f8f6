//! Finding out what we may do in a pool, without doing it: each probe is about an object that is not there and asks for
//! nothing if it is not there. The OSD looks at rights first, so "not found" means "allowed".

use super::errno::{Errno, Result, check};
use super::ioctx::IoCtx;
use super::raw;
use std::ffi::CStr;
use std::ptr;

/// No image or lease of ours has this name.
const OBJECT: &CStr = c"cuttle_probe_of_rights";

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    Read,
    Write,
    /// Methods of librbd's object class that change something.
    Execute,
}

impl IoCtx {
    /// Whether the OSDs let us.
    pub(crate) fn is_allowed(&self, probe: Probe) -> Result<bool> {
        let code = match probe {
            Probe::Read => {
                let (mut size, mut time) = (0, 0);
                // SAFETY: a live handle, a NUL-terminated string, and places for the answer.
                unsafe { raw::rados_stat(self.handle(), OBJECT.as_ptr(), &mut size, &mut time) }
            }
            Probe::Write | Probe::Execute => self.write(probe),
        };
        match check(code) {
            Ok(_) | Err(Errno::NOT_FOUND) => Ok(true),
            Err(Errno::NOT_PERMITTED) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    fn write(&self, probe: Probe) -> i32 {
        // The method's input: a key, as a length of zero.
        let input = [0u8; 4];
        // SAFETY: the operation is made, filled, carried out and released here; librados copies what it is given. Null for
        // "no own result" and for "now".
        unsafe {
            let operation = raw::rados_create_write_op();
            raw::rados_write_op_assert_exists(operation);
            if probe == Probe::Execute {
                let (class, method) = (c"rbd".as_ptr(), c"metadata_remove".as_ptr());
                raw::rados_write_op_exec(operation, class, method, input.as_ptr().cast(), input.len(), ptr::null_mut());
            } else {
                raw::rados_write_op_remove(operation);
            }
            let code = raw::rados_write_op_operate(operation, self.handle(), OBJECT.as_ptr(), ptr::null_mut(), 0);
            raw::rados_release_write_op(operation);
            code
        }
    }

    /// Makes the object in which librbd keeps the pool's trash, if it is not there. A full pool takes no new object, and
    /// without this one nothing could be deleted from it.
    pub(crate) fn make_trash(&self) -> Result<()> {
        // SAFETY: as in `write`.
        check(unsafe {
            let operation = raw::rados_create_write_op();
            raw::rados_write_op_create(operation, raw::LIBRADOS_CREATE_IDEMPOTENT as i32, ptr::null());
            let code = raw::rados_write_op_operate(operation, self.handle(), c"rbd_trash".as_ptr(), ptr::null_mut(), 0);
            raw::rados_release_write_op(operation);
            code
        })
        .map(drop)
    }
}

//! One connection to libvirtd, and the process-wide set-up that connections need.
//!
//! Every function here may block for as long as libvirtd likes: call them on a thread that may be
//! lost (see `lane`). A connection may be used by several threads at once; libvirt locks inside.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_int, c_ulong, c_void};
use std::sync::Once;

use virt_sys as sys;

use super::error::LibvirtError;

/// Seconds between keepalive messages, and how many may stay unanswered before the connection is
/// given up: calls that wait on a dead libvirtd end with an error then.
const KEEPALIVE: (c_int, u32) = (5, 6);

static START: Once = Once::new();

/// An open connection. Closed when dropped.
pub struct Connection {
    raw: sys::virConnectPtr,
}

// SAFETY: libvirt documents connections as safe to share between threads; the pointer is given up
// only in `drop`, when nobody holds the value any more.
unsafe impl Send for Connection {}
// SAFETY: as above.
unsafe impl Sync for Connection {}

impl Connection {
    /// Opens a connection.
    pub fn open(uri: &str) -> Result<Self, LibvirtError> {
        start_event_loop();
        let what = || format!("connect to libvirt at {uri}");
        let text = text(uri, &what())?;
        // SAFETY: the text outlives the call; a null `auth` means that libvirt asks nobody.
        let raw = unsafe { sys::virConnectOpenAuth(text.as_ptr(), std::ptr::null_mut(), 0) };
        if raw.is_null() {
            return Err(LibvirtError::last(what()));
        }
        let connection = Self { raw };
        // Drivers without a wire, such as test:///default, have no keepalive; that is no failure.
        // SAFETY: the connection is open.
        unsafe { sys::virConnectSetKeepAlive(raw, KEEPALIVE.0, KEEPALIVE.1) };
        Ok(connection)
    }

    /// The pointer, for calls within this module's siblings. Valid as long as `self`.
    pub(super) fn raw(&self) -> sys::virConnectPtr {
        self.raw
    }

    /// Whether libvirtd is still at the other end, as far as is known without asking.
    pub fn is_alive(&self) -> bool {
        // SAFETY: the connection is open.
        unsafe { sys::virConnectIsAlive(self.raw) == 1 }
    }

    /// Versions of libvirt and of the hypervisor, as `11.3.0`.
    pub fn versions(&self) -> Result<(String, String), LibvirtError> {
        let (mut library, mut hypervisor): (c_ulong, c_ulong) = (0, 0);
        // SAFETY: both out-pointers are valid during the calls.
        let failed = unsafe {
            sys::virConnectGetLibVersion(self.raw, &raw mut library) < 0
                || sys::virConnectGetVersion(self.raw, &raw mut hypervisor) < 0
        };
        match failed {
            true => Err(LibvirtError::last("read the versions of libvirt and the hypervisor")),
            false => Ok((dotted(library), dotted(hypervisor))),
        }
    }

    /// The machine's CPU threads, its memory in MiB and its architecture.
    pub fn node(&self) -> Result<(u32, u64, String), LibvirtError> {
        // SAFETY: a structure of integers, for which zeroes are valid.
        let mut info: sys::virNodeInfo = unsafe { std::mem::zeroed() };
        // SAFETY: the out-pointer is valid during the call.
        if unsafe { sys::virNodeGetInfo(self.raw, &raw mut info) } < 0 {
            return Err(LibvirtError::last("read the host's CPUs and memory"));
        }
        // SAFETY: libvirt fills in a text that ends with a zero byte.
        let architecture = unsafe { CStr::from_ptr(info.model.as_ptr()) }.to_string_lossy().into_owned();
        Ok((info.cpus, info.memory / 1024, architecture))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: opened by us and closed once. Other references, such as a domain's, keep it until they go.
        unsafe { sys::virConnectClose(self.raw) };
    }
}

/// A text for libvirt.
pub(super) fn text(text: &str, what: &str) -> Result<CString, LibvirtError> {
    CString::new(text).map_err(|_| LibvirtError::own(what, "a text contains a zero byte"))
}

/// Takes over a text that libvirt allocated.
///
/// # Safety
/// `text` is null or was allocated by libvirt for the caller, who uses it no more.
pub(super) unsafe fn owned(text: *mut c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and texts of libvirt end with a zero byte.
    let copy = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
    // SAFETY: allocated with malloc by libvirt, freed once.
    unsafe { libc::free(text.cast()) };
    Some(copy)
}

/// Starts the one thread that serves libvirt's event loop: keepalives and events need it. It is
/// registered before the first connection, as libvirt demands, and never ends.
fn start_event_loop() {
    START.call_once(|| {
        // SAFETY: the handler is a function that lives for ever. Without one libvirt prints errors to stderr.
        unsafe { sys::virSetErrorFunc(std::ptr::null_mut(), Some(ignore_error)) };
        // SAFETY: called once, before any connection exists.
        if unsafe { sys::virEventRegisterDefaultImpl() } < 0 {
            tracing::error!(error = %LibvirtError::last("set up libvirt's event loop"), "libvirt events will not arrive");
            return;
        }
        // The loop sleeps until one of its sources wakes it; the timer makes it look now and then.
        // SAFETY: the callback is a function that lives for ever and takes no data.
        unsafe { sys::virEventAddTimeout(1000, Some(ignore_timeout), std::ptr::null_mut(), None) };
        let started = std::thread::Builder::new().name("libvirt-events".to_owned()).spawn(|| {
            loop {
                // SAFETY: only this thread runs the loop.
                if unsafe { sys::virEventRunDefaultImpl() } < 0 {
                    std::thread::sleep(std::time::Duration::from_millis(100));
                }
            }
        });
        if let Err(error) = started {
            tracing::error!(%error, "cannot start the thread of libvirt's event loop");
        }
    });
}

unsafe extern "C" fn ignore_error(_data: *mut c_void, _error: sys::virErrorPtr) {}

unsafe extern "C" fn ignore_timeout(_timer: c_int, _data: *mut c_void) {}

/// libvirt writes versions as major * 1 000 000 + minor * 1 000 + release.
fn dotted(version: c_ulong) -> String {
    format!("{}.{}.{}", version / 1_000_000, version / 1000 % 1000, version % 1000)
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_written_with_dots() {
        assert_eq!(super::dotted(11_003_000), "11.3.0");
        assert_eq!(super::dotted(10_000_002), "10.0.2");
    }
}

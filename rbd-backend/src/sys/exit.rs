//! What happens to connections that are still open when the process ends.
//!
//! librados' threads run on while `exit` destroys the globals that they use, and now and then one of them crashes the
//! process that was about to end well. So the end waits a moment for connections that are being shut down, and where some
//! are still open (a call hangs, or nobody let go), it ends the process without destroying anything.
//!
//! What always holds: the exit status is kept; the wait is bounded.

use std::ffi::{c_int, c_void};
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

/// How long the end of the process waits for connections that are being shut down.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Default)]
struct Count {
    open: usize,
    /// Of those, the ones that are being shut down.
    closing: usize,
}

static COUNT: Mutex<Count> = Mutex::new(Count { open: 0, closing: 0 });
static CHANGED: Condvar = Condvar::new();
static REGISTERED: Once = Once::new();

// glibc's; unlike `atexit` it tells the handler the status.
unsafe extern "C" {
    fn on_exit(handler: unsafe extern "C" fn(status: c_int, argument: *mut c_void), argument: *mut c_void) -> c_int;
}

fn lock() -> MutexGuard<'static, Count> {
    COUNT.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn opened() {
    REGISTERED.call_once(|| {
        // Registered after the libraries were loaded, so it runs before their globals are destroyed.
        // SAFETY: the handler is a function of this program and needs no argument.
        let registered = unsafe { on_exit(at_exit, std::ptr::null_mut()) };
        if registered != 0 {
            tracing::warn!("no handler for the process's end: open connections to Ceph may crash it then");
        }
    });
    lock().open += 1;
}

pub(super) fn closing() {
    lock().closing += 1;
}

pub(super) fn closed() {
    let mut count = lock();
    count.open -= 1;
    count.closing -= 1;
    drop(count);
    CHANGED.notify_all();
}

unsafe extern "C" fn at_exit(status: c_int, _: *mut c_void) {
    let end = Instant::now() + PATIENCE;
    let mut count = lock();
    while count.closing > 0 {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        count = CHANGED.wait_timeout(count, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    if count.open > 0 {
        // SAFETY: flushes C's own streams, then ends the process with the status that it had.
        unsafe {
            libc::fflush(std::ptr::null_mut());
            libc::_exit(status);
        }
    }
}

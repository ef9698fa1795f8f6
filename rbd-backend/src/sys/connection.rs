//! A connection to a cluster: create, configure, connect, commands, close.

use super::errno::{Result, check};
use super::{exit, raw, text};
use std::ffi::c_char;
use std::path::Path;
use std::ptr;

/// A `rados_t`. librados locks inside, so it may be used from all threads.
///
/// Dropping the last reference shuts the connection down on a thread of its own, because that may block.
pub(crate) struct Connection {
    cluster: raw::rados_t,
    /// Dropped after the shutdown, so that whoever holds the receiver learns of it.
    on_closed: Option<tokio::sync::oneshot::Sender<()>>,
    pub(super) closer: super::aio::Closer,
}

// SAFETY: librados documents its handles as usable from several threads.
unsafe impl Send for Connection {}
// SAFETY: as above.
unsafe impl Sync for Connection {}

/// What a monitor or manager command answered.
pub(crate) struct CommandAnswer {
    pub(crate) code: Result<i32>,
    pub(crate) output: Vec<u8>,
    pub(crate) status: String,
}

impl Connection {
    /// A handle that is not connected yet. `client_name` is the whole entity (`client.cuttle`).
    /// `on_closed` is dropped when the connection has been shut down.
    pub(crate) fn create(client_name: &str, on_closed: tokio::sync::oneshot::Sender<()>) -> Result<Connection> {
        let name = text::to_c(client_name)?;
        let mut cluster: raw::rados_t = ptr::null_mut();
        // SAFETY: all pointers live through the call; the handle is owned by the value made from it.
        check(unsafe { raw::rados_create2(&mut cluster, c"ceph".as_ptr(), name.as_ptr(), 0) })?;
        exit::opened();
        let closer = super::aio::Closer::start();
        Ok(Connection { cluster, on_closed: Some(on_closed), closer })
    }

    pub(crate) fn read_configuration(&self, path: &Path) -> Result<()> {
        let path = text::to_c(&path.to_string_lossy())?;
        // SAFETY: a live handle and a NUL-terminated string.
        check(unsafe { raw::rados_conf_read_file(self.cluster, path.as_ptr()) }).map(drop)
    }

    pub(crate) fn set_option(&self, name: &str, value: &str) -> Result<()> {
        let (name, value) = (text::to_c(name)?, text::to_c(value)?);
        // SAFETY: a live handle and NUL-terminated strings, which librados copies.
        check(unsafe { raw::rados_conf_set(self.cluster, name.as_ptr(), value.as_ptr()) }).map(drop)
    }

    /// Blocks until connected, or until `client_mount_timeout`.
    pub(crate) fn connect(&self) -> Result<()> {
        // SAFETY: a live handle that is connected at most once, by the one caller that made it.
        check(unsafe { raw::rados_connect(self.cluster) }).map(drop)
    }

    pub(super) fn handle(&self) -> raw::rados_t {
        self.cluster
    }

    pub(crate) fn fsid(&self) -> Result<String> {
        let mut buffer = [0u8; 64];
        // SAFETY: the buffer's length is given.
        check(unsafe { raw::rados_cluster_fsid(self.cluster, buffer.as_mut_ptr().cast(), buffer.len()) })?;
        Ok(text::from_buffer(&buffer))
    }

    /// Our global client id (`client.<n>`), the same number that watchers carry.
    pub(crate) fn instance_id(&self) -> u64 {
        // SAFETY: a live, connected handle.
        unsafe { raw::rados_get_instance_id(self.cluster) }
    }

    /// Our own session's addresses, as the blocklist wants them.
    pub(crate) fn addresses(&self) -> Result<String> {
        let mut addresses: *mut c_char = ptr::null_mut();
        // SAFETY: librados stores a malloc'ed string, which is copied and freed here.
        check(unsafe { raw::rados_getaddrs(self.cluster, &mut addresses) })?;
        // SAFETY: as above.
        let copied = unsafe { text::from_c(addresses) };
        // SAFETY: allocated by strdup inside librados, freed once.
        unsafe { libc::free(addresses.cast()) };
        Ok(copied)
    }

    pub(crate) fn list_pools(&self) -> Result<Vec<String>> {
        let mut buffer = vec![0u8; 4096];
        loop {
            // SAFETY: the buffer's length is given; librados never writes beyond it.
            let needed = check(unsafe { raw::rados_pool_list(self.cluster, buffer.as_mut_ptr().cast(), buffer.len()) })?;
            let needed = usize::try_from(needed).unwrap_or(0);
            if needed <= buffer.len() {
                // The list ends with an empty name.
                return Ok(text::split_list(&buffer, needed).into_iter().filter(|name| !name.is_empty()).collect());
            }
            buffer.resize(needed + 1024, 0);
        }
    }

    /// The pool's id, from the OSD map in memory; asks for a newer map only when the name is unknown.
    pub(crate) fn pool_id(&self, pool: &str) -> Result<i64> {
        let pool = text::to_c(pool)?;
        // SAFETY: a live handle and a NUL-terminated string.
        let id = unsafe { raw::rados_pool_lookup(self.cluster, pool.as_ptr()) };
        if id < 0 { Err(super::errno::Errno(i32::try_from(-id).unwrap_or(libc::EIO))) } else { Ok(id) }
    }

    pub(crate) fn wait_for_latest_map(&self) -> Result<()> {
        // SAFETY: a live, connected handle.
        check(unsafe { raw::rados_wait_for_latest_osdmap(self.cluster) }).map(drop)
    }

    /// Runs one JSON command on the monitors. Blocks until `rados_mon_op_timeout` at most.
    pub(crate) fn monitor_command(&self, command: &str, input: &[u8]) -> Result<CommandAnswer> {
        let command = text::to_c(command)?;
        let mut commands = [command.as_ptr()];
        let (mut output, mut output_length) = (ptr::null_mut::<c_char>(), 0usize);
        let (mut status, mut status_length) = (ptr::null_mut::<c_char>(), 0usize);
        // SAFETY: pointers and lengths belong together; librados stores two buffers of its own, freed by `take`.
        let code = unsafe {
            raw::rados_mon_command(
                self.cluster,
                commands.as_mut_ptr(),
                commands.len(),
                input.as_ptr().cast(),
                input.len(),
                &mut output,
                &mut output_length,
                &mut status,
                &mut status_length,
            )
        };
        // SAFETY: exactly what librados stored, each taken once.
        let (output, status) = unsafe { (take(output, output_length), take(status, status_length)) };
        Ok(CommandAnswer { code: check(code), output, status: String::from_utf8_lossy(&status).trim().to_owned() })
    }
}

/// Copies and frees a buffer that librados allocated.
///
/// # Safety
/// `buffer` is null or came from librados with this length and is not used again.
unsafe fn take(buffer: *mut c_char, length: usize) -> Vec<u8> {
    if buffer.is_null() {
        return Vec::new();
    }
    // SAFETY: by the caller's promise.
    let copied = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), length) }.to_vec();
    // SAFETY: as above; freed once.
    unsafe { raw::rados_buffer_free(buffer) };
    copied
}

impl Drop for Connection {
    fn drop(&mut self) {
        /// Moves the handle to the thread that closes it.
        struct Closing(raw::rados_t, Option<tokio::sync::oneshot::Sender<()>>);
        // SAFETY: the last owner gave it away.
        unsafe impl Send for Closing {}
        exit::closing();
        let closing = Closing(self.cluster, self.on_closed.take());
        // The last reference may go on a runtime's thread or in a callback of librados itself: neither may block.
        let spawned = std::thread::Builder::new().name("rados-shutdown".into()).spawn(move || {
            let Closing(cluster, on_closed) = { closing };
            // SAFETY: no reference to the handle remains; shut down once (this also frees one that never connected).
            unsafe { raw::rados_shutdown(cluster) };
            exit::closed();
            drop(on_closed);
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread to shut a Ceph connection down on: it stays open until the process ends");
        }
    }
}

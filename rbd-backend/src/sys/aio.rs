//! librbd's completions as callbacks and futures: open, read, write, discard, flush, close.
//!
//! ```text
//! start ─► librbd ─► callback (librbd's thread) ─► done(result, payload) ─► a oneshot, a counter, a permit
//! ```
//!
//! What always holds: the payload (buffer, image, permit) belongs to the operation until its callback has run, so a caller
//! that gives up frees nothing that librbd still uses. Nothing here blocks, so all of it may run on a runtime's thread.
//! `done` runs in a callback: it only stores and sends. An image whose last reference goes there is closed by the closer.

use super::errno::{Errno, Result};
use super::image::{Access, Image, ImageRef};
use super::ioctx::IoCtx;
use super::{raw, text};
use bytes::Bytes;
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::mpsc;
use tokio::sync::oneshot;

struct Operation<T, F> {
    payload: T,
    done: F,
}

unsafe extern "C" fn finished<T, F: FnOnce(Result<usize>, T)>(completion: raw::rbd_completion_t, argument: *mut c_void) {
    // SAFETY: `argument` is the box that `start` leaked for exactly this one callback.
    let operation = unsafe { Box::from_raw(argument.cast::<Operation<T, F>>()) };
    // SAFETY: the completion is done, read and released once.
    let code = unsafe { raw::rbd_aio_get_return_value(completion) };
    // SAFETY: as above.
    unsafe { raw::rbd_aio_release(completion) };
    let Operation { payload, done } = *operation;
    done(result(code), payload);
}

fn result(code: isize) -> Result<usize> {
    usize::try_from(code).map_err(|_| Errno(i32::try_from(code.unsigned_abs()).unwrap_or(libc::EIO)))
}

/// Starts an operation that owns `payload` until `done`.
fn start<T, F>(payload: T, launch: impl FnOnce(raw::rbd_completion_t, *mut T) -> i32, done: F)
where
    T: Send + 'static,
    F: FnOnce(Result<usize>, T) + Send + 'static,
{
    let operation = Box::into_raw(Box::new(Operation { payload, done }));
    let mut completion: raw::rbd_completion_t = ptr::null_mut();
    // SAFETY: the callback takes the box back, once.
    let mut code = unsafe { raw::rbd_aio_create_completion(operation.cast(), Some(finished::<T, F>), &mut completion) };
    if code >= 0 {
        // SAFETY: the box is not freed before the callback, so its payload stays where it is.
        code = launch(completion, unsafe { &raw mut (*operation).payload });
        if code >= 0 {
            return;
        }
        // SAFETY: not started, so nobody else has it.
        unsafe { raw::rbd_aio_release(completion) };
    }
    // SAFETY: not started, so no callback will take it.
    let Operation { payload, done } = *unsafe { Box::from_raw(operation) };
    done(result(isize::try_from(code).unwrap_or(-1)), payload);
}

/// Opens an image, at a snapshot or at its head. `keep` is dropped when it is open or has failed to.
pub(crate) fn open<K: Send + 'static>(
    ioctx: &Arc<IoCtx>,
    which: &ImageRef,
    snapshot: Option<&str>,
    access: Access,
    keep: K,
) -> Result<oneshot::Receiver<Result<Image>>> {
    struct Opening<K> {
        handle: raw::rbd_image_t,
        ioctx: Arc<IoCtx>,
        keep: K,
    }
    // SAFETY: the handle is only a place for librbd to write to.
    unsafe impl<K: Send> Send for Opening<K> {}

    let (ImageRef::Name(name) | ImageRef::Id(name)) = which;
    let (name, snapshot) = (text::to_c(name)?, snapshot.map(text::to_c).transpose()?);
    let snapshot: *const c_char = snapshot.as_ref().map_or(ptr::null(), |text| text.as_ptr());
    let (sender, receiver) = oneshot::channel();
    let io = ioctx.handle();
    start(
        Opening { handle: ptr::null_mut(), ioctx: Arc::clone(ioctx), keep },
        |completion, opening| {
            // SAFETY: the payload lives until the callback; librbd copies the names at once.
            unsafe {
                let (name, handle) = (name.as_ptr(), &raw mut (*opening).handle);
                match (which, access) {
                    (ImageRef::Name(_), Access::ReadOnly) => raw::rbd_aio_open_read_only(io, name, handle, snapshot, completion),
                    (ImageRef::Name(_), Access::ReadWrite) => raw::rbd_aio_open(io, name, handle, snapshot, completion),
                    (ImageRef::Id(_), Access::ReadOnly) => {
                        raw::rbd_aio_open_by_id_read_only(io, name, handle, snapshot, completion)
                    }
                    (ImageRef::Id(_), Access::ReadWrite) => raw::rbd_aio_open_by_id(io, name, handle, snapshot, completion),
                }
            }
        },
        |result, opening| {
            drop(opening.keep);
            // A caller that gave up drops the image, which closes it.
            let _ = sender.send(result.map(|_| Image::adopt(opening.handle, opening.ioctx)));
        },
    );
    Ok(receiver)
}

/// Writes `data`; `done` gets it back with whatever else the caller keeps for so long.
pub(crate) fn write<K: Send + 'static>(
    image: &Arc<Image>,
    offset: u64,
    data: Bytes,
    keep: K,
    done: impl FnOnce(Result<usize>, K) + Send + 'static,
) {
    let handle = image.handle();
    start(
        (data, Arc::clone(image), keep),
        |completion, payload| {
            // SAFETY: the payload lives until the callback, and librbd only reads the data.
            unsafe {
                let data = &(*payload).0;
                raw::rbd_aio_write2(handle, offset, data.len(), data.as_ptr().cast(), completion, 0)
            }
        },
        |result, (data, image, keep)| {
            // Before `done`, so that whoever learns from it that all is written holds the image alone.
            drop((data, image));
            done(result, keep);
        },
    );
}

/// Makes a range read as zeroes, by freeing what can be freed.
pub(crate) fn discard<K: Send + 'static>(
    image: &Arc<Image>,
    offset: u64,
    length: u64,
    keep: K,
    done: impl FnOnce(Result<usize>, K) + Send + 'static,
) {
    let handle = image.handle();
    start(
        (Arc::clone(image), keep),
        // SAFETY: a live handle, kept by the payload. No flags: discard what is allocated, zero the edges.
        |completion, _| unsafe { raw::rbd_aio_write_zeroes(handle, offset, usize_of(length), completion, 0, 0) },
        |result, (image, keep)| {
            drop(image);
            done(result, keep);
        },
    );
}

fn usize_of(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// Reads up to `length` bytes.
pub(crate) fn read<K: Send + 'static>(
    image: &Arc<Image>,
    offset: u64,
    length: usize,
    keep: K,
) -> oneshot::Receiver<Result<Vec<u8>>> {
    let handle = image.handle();
    let (sender, receiver) = oneshot::channel();
    start(
        (vec![0u8; length], Arc::clone(image), keep),
        |completion, payload| {
            // SAFETY: the payload lives until the callback; nobody else touches the buffer before.
            unsafe {
                let buffer = &mut (*payload).0;
                raw::rbd_aio_read2(handle, offset, buffer.len(), buffer.as_mut_ptr().cast(), completion, 0)
            }
        },
        |result, (mut buffer, image, keep)| {
            drop((image, keep));
            let _ = sender.send(result.map(|read| {
                buffer.truncate(read);
                buffer
            }));
        },
    );
    receiver
}

/// Waits until all that was written before is on stable storage.
pub(crate) fn flush(image: &Arc<Image>) -> oneshot::Receiver<Result<usize>> {
    let handle = image.handle();
    let (sender, receiver) = oneshot::channel();
    start(
        Arc::clone(image),
        // SAFETY: a live handle, kept by the payload.
        |completion, _| unsafe { raw::rbd_aio_flush(handle, completion) },
        |result, image| {
            drop(image);
            let _ = sender.send(result);
        },
    );
    receiver
}

/// Closes an image that nobody else uses.
pub(crate) fn close(image: Image) -> oneshot::Receiver<Result<usize>> {
    let (sender, receiver) = oneshot::channel();
    let (handle, ioctx) = image.dismantle();
    start_close(handle, ioctx, |result| {
        let _ = sender.send(result);
    });
    receiver
}

fn start_close(handle: raw::rbd_image_t, ioctx: Arc<IoCtx>, done: impl FnOnce(Result<usize>) + Send + 'static) {
    start(
        ioctx,
        // SAFETY: the only owner gave the handle up; closed once.
        |completion, _| unsafe { raw::rbd_aio_close(handle, completion) },
        |result, _ioctx| done(result),
    );
}

/// Closes images that were dropped wherever they were dropped, a callback of librbd's included: one thread per connection,
/// which never waits, because it only starts the closing.
pub(crate) struct Closer {
    queue: mpsc::Sender<Dropped>,
}

struct Dropped {
    handle: raw::rbd_image_t,
    ioctx: Arc<IoCtx>,
}

// SAFETY: the last owner gave the handle away.
unsafe impl Send for Dropped {}

impl Closer {
    pub(super) fn start() -> Closer {
        let (queue, dropped) = mpsc::channel::<Dropped>();
        let spawned = std::thread::Builder::new().name("rbd-closer".into()).spawn(move || {
            for Dropped { handle, ioctx } in dropped {
                start_close(handle, ioctx, |result| {
                    if let Err(errno) = result {
                        tracing::warn!(%errno, "closing an image failed");
                    }
                });
            }
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for closing images: those dropped stay open until the process ends");
        }
        Closer { queue }
    }

    pub(super) fn close(&self, handle: raw::rbd_image_t, ioctx: Arc<IoCtx>) {
        // Fails only if the thread never started, which was said then.
        let _ = self.queue.send(Dropped { handle, ioctx });
    }
}

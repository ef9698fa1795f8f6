//! Reading an image's bytes, through completions.

use crate::call;
use crate::error::{Attempt, Effect, Error, Reason};
use crate::image::ImageRef;
use crate::pool::Pool;
use crate::sys::aio;
use crate::sys::errno::Errno;
use crate::sys::image::{Access, Image};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// An image, or a snapshot of it, open for reading. It takes no watch and no lock; dropping it closes it.
pub struct ImageReader {
    image: Arc<Image>,
    size_bytes: u64,
    attempt: Attempt,
    timeout: Duration,
    aio: Arc<Semaphore>,
}

impl Pool {
    /// None if there is no such image, or no such snapshot of it.
    pub async fn open_reader(&self, image: impl Into<ImageRef>, snapshot: Option<&str>) -> Result<Option<ImageReader>, Error> {
        let image = image.into();
        let attempt = match snapshot {
            Some(snapshot) => self.attempt("read image", Effect::Read, format_args!("{image}@{snapshot}")),
            None => self.attempt("read image", Effect::Read, &image),
        };
        let Some(open) = open(self, &image, snapshot, Access::ReadOnly, &attempt).await? else { return Ok(None) };
        let size_bytes = open.size_bytes().map_err(|errno| attempt.ceph(errno))?;
        let (timeout, aio) = (self.cluster.timeout, Arc::clone(&self.cluster.inner.aio));
        Ok(Some(ImageReader { image: Arc::new(open), size_bytes, attempt, timeout, aio }))
    }
}

/// Opens by completion; the pool's context comes from a worker, because an unknown pool means asking the monitors.
pub(crate) async fn open(
    pool: &Pool,
    image: &ImageRef,
    snapshot: Option<&str>,
    access: Access,
    attempt: &Attempt,
) -> Result<Option<Image>, Error> {
    let context = pool.call(attempt.clone(), |job| Ok(Arc::clone(&job.context))).await?;
    let timeout = pool.cluster.timeout;
    // Opening counts as in flight, so that callers that keep trying on a hung cluster do not pile up images.
    let permit = permit(&pool.cluster.inner.aio, attempt, timeout).await?;
    let receiver = aio::open(&context, image, snapshot, access, permit).map_err(|errno| attempt.ceph(errno))?;
    match call::completion(receiver, attempt, timeout).await {
        Ok(image) => Ok(Some(image)),
        Err(error) if error.is(Errno::NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Waits for the right to one more read or write in flight.
pub(crate) async fn permit(aio: &Arc<Semaphore>, attempt: &Attempt, timeout: Duration) -> Result<OwnedSemaphorePermit, Error> {
    match tokio::time::timeout(timeout, Arc::clone(aio).acquire_owned()).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) => Err(attempt.broken("the limit of reads and writes in flight was closed")),
        Err(_) => Err(attempt.error(Reason::NeverStarted { after: timeout })),
    }
}

impl ImageReader {
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The bytes from `offset` on, `length` of them or as many as there are. Reads may run side by side.
    pub async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, Error> {
        let left = self.size_bytes.saturating_sub(offset);
        let length = usize::try_from(left).map_or(length, |left| length.min(left));
        if length == 0 {
            return Ok(Bytes::new());
        }
        let permit = permit(&self.aio, &self.attempt, self.timeout).await?;
        let receiver = aio::read(&self.image, offset, length, permit);
        call::completion(receiver, &self.attempt, self.timeout).await.map(Bytes::from)
    }
}

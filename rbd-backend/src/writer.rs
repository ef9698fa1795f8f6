//! Writing a stream of bytes into an image, through completions, with a bounded number in flight.
//!
//! ```text
//! append(bytes) ─► gathered to whole objects ─┐
//! write_at(offset, bytes) ────────────────────┴► zeroes skipped ─► permit ─► librbd ─► permit back, error kept
//! finish() ─► the rest ─► all permits back ─► flush ─► close
//! ```
//!
//! What always holds: memory is bounded by the pieces in flight; the first error of any write is returned by the next call,
//! and in the end by `finish`; only a `finish` that succeeded says that the data is on stable storage.

use crate::call;
use crate::error::{Attempt, Effect, Error, Reason};
use crate::image::ImageRef;
use crate::pool::Pool;
use crate::reader;
use crate::sys::aio;
use crate::sys::errno::Errno;
use crate::sys::image::{Access, Image};
use crate::workers::Workers;
use bytes::{Bytes, BytesMut};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Whether the image holds nothing but zeroes, so that writing zeroes may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreshImage {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Writes in flight of this writer.
    pub in_flight: u32,
    /// The size of one write, and what is skipped at once where it is all zeroes. An image's objects have 4 MiB.
    pub piece_bytes: usize,
    pub fresh: FreshImage,
}

impl Default for WriterOptions {
    fn default() -> WriterOptions {
        WriterOptions { in_flight: 8, piece_bytes: 4 << 20, fresh: FreshImage::No }
    }
}

/// Zeroes are looked for in pieces of this size, so that a hole inside an object stays one.
const HOLE_BYTES: usize = 64 << 10;

/// An image open for writing. Dropping it without `finish` closes it and says nothing of what was written.
pub struct ImageWriter {
    image: Arc<Image>,
    attempt: Attempt,
    timeout: Duration,
    options: WriterOptions,
    size_bytes: u64,
    slots: Arc<Semaphore>,
    all: Arc<Semaphore>,
    workers: Arc<Workers>,
    failed: Arc<OnceLock<Errno>>,
    /// What `append` has gathered, and where it goes.
    gathered: BytesMut,
    position: u64,
}

impl Pool {
    /// Opens an image for writing. Fails with `Gone` if it is not there.
    pub async fn open_writer(&self, image: impl Into<ImageRef>, options: WriterOptions) -> Result<ImageWriter, Error> {
        let image = image.into();
        let attempt = self.attempt("write image", Effect::Change, &image);
        let open = reader::open(self, &image, None, Access::ReadWrite, &attempt).await?;
        let open = open.ok_or_else(|| attempt.ceph(Errno::NOT_FOUND))?;
        let in_flight = options.in_flight.max(1);
        Ok(ImageWriter {
            size_bytes: open.size_bytes().map_err(|errno| attempt.ceph(errno))?,
            image: Arc::new(open),
            attempt,
            timeout: self.cluster.timeout,
            options: WriterOptions { in_flight, piece_bytes: options.piece_bytes.max(HOLE_BYTES), ..options },
            slots: Arc::new(Semaphore::new(in_flight as usize)),
            all: Arc::clone(&self.cluster.inner.aio),
            workers: Arc::clone(&self.cluster.inner.workers),
            failed: Arc::default(),
            gathered: BytesMut::new(),
            position: 0,
        })
    }
}

impl ImageWriter {
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Where the next `append` goes.
    pub fn position(&self) -> u64 {
        self.position + self.gathered.len() as u64
    }

    /// Writes at the end of what was appended before, in whole pieces; waits while too much is in flight.
    pub async fn append(&mut self, mut data: Bytes) -> Result<(), Error> {
        self.check_range(self.position(), data.len())?;
        let piece = self.options.piece_bytes;
        while !data.is_empty() {
            // A whole piece that lies in one buffer is not copied.
            if self.gathered.is_empty() && data.len() >= piece {
                let whole = data.split_to(piece);
                self.write_next(whole).await?;
                continue;
            }
            if self.gathered.capacity() == 0 {
                self.gathered.reserve(piece);
            }
            let taken = data.split_to(data.len().min(piece - self.gathered.len()));
            self.gathered.extend_from_slice(&taken);
            if self.gathered.len() == piece {
                let whole = std::mem::take(&mut self.gathered).freeze();
                self.write_next(whole).await?;
            }
        }
        Ok(())
    }

    async fn write_next(&mut self, data: Bytes) -> Result<(), Error> {
        let offset = self.position;
        self.position += data.len() as u64;
        self.write_at(offset, data).await
    }

    /// Starts writing `data` at `offset` and returns; waits while too much is in flight.
    pub async fn write_at(&self, offset: u64, mut data: Bytes) -> Result<(), Error> {
        self.check_range(offset, data.len())?;
        let mut offset = offset;
        while !data.is_empty() {
            // Pieces end where objects end, whatever the start.
            let piece = self.options.piece_bytes as u64;
            let left = usize::try_from(piece - offset % piece).unwrap_or(usize::MAX);
            let part = data.split_to(data.len().min(left));
            let length = part.len() as u64;
            if self.options.fresh == FreshImage::Yes {
                for (start, data) in not_zero(&part) {
                    self.start(offset + start as u64, data).await?;
                }
            } else {
                self.start(offset, part).await?;
            }
            offset += length;
        }
        Ok(())
    }

    /// Makes a range read as zeroes.
    pub async fn discard(&self, offset: u64, length_bytes: u64) -> Result<(), Error> {
        self.check_range(offset, usize::try_from(length_bytes).unwrap_or(usize::MAX))?;
        let permits = self.permits().await?;
        let failed = Arc::clone(&self.failed);
        aio::discard(&self.image, offset, length_bytes, permits, move |result, _permits| keep(&failed, result));
        Ok(())
    }

    /// Makes the image this large, larger or smaller than it is: for a stream whose length is known only at its end.
    /// What is cut off is lost, so this is for images that nobody else has seen yet.
    pub async fn set_size(&mut self, size_bytes: u64) -> Result<(), Error> {
        // `&mut self` keeps new writes away; those in flight end first.
        drop(self.quiet().await?);
        let image = Arc::clone(&self.image);
        call::run(&self.workers, &self.attempt, self.timeout, move |attempt| {
            image.set_size(size_bytes).map_err(|errno| attempt.ceph(errno))
        })
        .await?;
        self.size_bytes = size_bytes;
        Ok(())
    }

    /// Waits until nothing is in flight.
    async fn quiet(&self) -> Result<SemaphorePermit<'_>, Error> {
        match tokio::time::timeout(self.timeout, self.slots.acquire_many(self.options.in_flight)).await {
            Ok(Ok(permits)) => self.check_failed().map(|()| permits),
            Ok(Err(_)) => Err(self.attempt.broken("the writer is closed")),
            Err(_) => Err(self.attempt.error(Reason::Deadline { after: self.timeout })),
        }
    }

    /// Waits for all writes, makes them durable, and closes the image. The first error of any of them is the answer.
    pub async fn finish(mut self) -> Result<(), Error> {
        if !self.gathered.is_empty() {
            let rest = std::mem::take(&mut self.gathered).freeze();
            self.write_next(rest).await?;
        }
        drop(self.quiet().await?);
        call::completion(aio::flush(&self.image), &self.attempt, self.timeout).await?;
        let ImageWriter { image, attempt, timeout, .. } = self;
        // Each operation lets go of the image before it reports, so it is ours alone now.
        let image = Arc::try_unwrap(image).map_err(|_| attempt.broken("the image is still in use after its last write"))?;
        call::completion(aio::close(image), &attempt, timeout).await.map(drop)
    }

    async fn permits(&self) -> Result<impl Send + use<>, Error> {
        self.check_failed()?;
        let slot = reader::permit(&self.slots, &self.attempt, self.timeout).await?;
        let global = reader::permit(&self.all, &self.attempt, self.timeout).await?;
        self.check_failed()?;
        Ok((slot, global))
    }

    async fn start(&self, offset: u64, data: Bytes) -> Result<(), Error> {
        let permits = self.permits().await?;
        let failed = Arc::clone(&self.failed);
        aio::write(&self.image, offset, data, permits, move |result, _permits| keep(&failed, result));
        Ok(())
    }

    fn check_failed(&self) -> Result<(), Error> {
        self.failed.get().map_or(Ok(()), |errno| Err(self.attempt.ceph(*errno)))
    }

    fn check_range(&self, offset: u64, length: usize) -> Result<(), Error> {
        let end = u64::try_from(length).ok().and_then(|length| offset.checked_add(length));
        if end.is_some_and(|end| end <= self.size_bytes) {
            return Ok(());
        }
        let size = self.size_bytes;
        Err(self.attempt.refused(format!("{length} bytes at {offset} end beyond the image's {size} bytes")))
    }
}

fn keep(failed: &OnceLock<Errno>, result: Result<usize, Errno>) {
    if let Err(errno) = result {
        let _ = failed.set(errno);
    }
}

/// The parts of `data` that are not all zeroes, with where they start; neighbours are one.
fn not_zero(data: &Bytes) -> Vec<(usize, Bytes)> {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for (index, block) in data.chunks(HOLE_BYTES).enumerate() {
        let start = index * HOLE_BYTES;
        let end = start + block.len();
        if is_zero(block) {
            continue;
        }
        match parts.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => parts.push((start, end)),
        }
    }
    parts.into_iter().map(|(start, end)| (start, data.slice(start..end))).collect()
}

fn is_zero(block: &[u8]) -> bool {
    // By words: a byte at a time is what an import would spend its time on in an unoptimized build.
    let (words, rest) = block.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_left_out_and_neighbours_joined() {
        let mut data = vec![0u8; 4 * HOLE_BYTES + 10];
        data[HOLE_BYTES] = 1;
        data[3 * HOLE_BYTES - 1] = 1;
        data[4 * HOLE_BYTES + 9] = 1;
        let parts: Vec<_> = not_zero(&data.into()).into_iter().map(|(start, part)| (start, part.len())).collect();
        assert_eq!(parts, [(HOLE_BYTES, 2 * HOLE_BYTES), (4 * HOLE_BYTES, 10)]);
        assert!(not_zero(&Bytes::from(vec![0u8; 100])).is_empty());
        assert!(not_zero(&Bytes::new()).is_empty());
    }

    #[test]
    fn one_byte_anywhere_is_seen() {
        for place in [0, 15, 16, 31, 32] {
            let mut block = [0u8; 33];
            block[place] = 1;
            assert!(!is_zero(&block), "{place}");
        }
        assert!(is_zero(&[0u8; 33]) && is_zero(&[]));
    }
}

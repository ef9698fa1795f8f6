//! From an image file to the disk: each part that holds data is read, decompressed where it must be, and written to its
//! place. Zeroes are left out, so a fresh disk stays sparse.
//!
//! What always holds: no two writes overlap, and their content and places follow from the file alone, so a copy that was
//! broken off is completed by doing it again.

use std::future::Future;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::cache::Cache;
use crate::codec::decompress;
use crate::disk::Disk;
use crate::extent::{Codec, Data, Extent};
use crate::{Error, OutsideError, Source};

/// Reads of stored data under way at once, of [`PIECE_BYTES`] each.
const READS: usize = 4;
/// What is read and written at once: an RBD image's objects have this size.
const PIECE_BYTES: u64 = 4 << 20;

/// Where the disk is written to: at any place, in any order.
pub trait Sink: Send + Sync {
    fn write_at(&self, offset: u64, data: Bytes) -> impl Future<Output = Result<(), OutsideError>> + Send;
}

/// Writes all of the disk that holds data. `progress` is told how much of it was gone through.
pub async fn copy<S: Source, T: Sink>(
    source: &S,
    disk: &mut Disk<'_, S>,
    sink: &T,
    mut progress: impl FnMut(u64),
) -> Result<(), Error> {
    let mut compressed = Cache::new(source);
    let mut gathered = Gathered::default();
    let mut reads = FuturesUnordered::new();
    let mut pending: Option<(u64, u64, u64)> = None;
    loop {
        let next = disk.next().await?;
        progress(disk.position());
        // Neighbours on the disk that are neighbours in the file are one read.
        if let (Some((offset, at, length)), Some(Extent { offset: next, length: more, data: Data::Stored { at: place } })) =
            (pending, next)
            && offset + length == next
            && at + length == place
            && length < PIECE_BYTES
        {
            pending = Some((offset, at, length + more));
            continue;
        }
        if let Some((offset, at, length)) = pending.take() {
            for (offset, at, length) in pieces(offset, at, length) {
                if reads.len() == READS {
                    written(sink, reads.next().await).await?;
                }
                reads.push(async move { (offset, length, source.read_at(at, length).await) });
            }
        }
        match next {
            None => break,
            Some(Extent { offset, length, data: Data::Stored { at } }) => pending = Some((offset, at, length)),
            Some(Extent { offset, length, data: Data::Compressed { at, length: bytes, codec } }) => {
                let data = expand(&mut compressed, at, bytes, codec, length).await?;
                gathered.add(sink, offset, &data).await?;
            }
        }
    }
    while let Some(read) = reads.next().await {
        written(sink, Some(read)).await?;
    }
    gathered.flush(sink).await
}

/// An extent in pieces that end where objects do.
fn pieces(offset: u64, at: u64, length: u64) -> impl Iterator<Item = (u64, u64, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let here = offset + done;
        let piece = (PIECE_BYTES - here % PIECE_BYTES).min(length - done);
        let found = (piece > 0).then(|| (here, at + done, usize::try_from(piece).unwrap_or(0)));
        done += piece;
        found
    })
}

async fn written<T: Sink>(sink: &T, read: Option<(u64, usize, Result<Bytes, OutsideError>)>) -> Result<(), Error> {
    let Some((offset, length, data)) = read else { return Ok(()) };
    let data = data.map_err(Error::Source)?;
    if data.len() != length {
        return Err(Error::Source(format!("{length} bytes were asked for, {} came", data.len()).into()));
    }
    sink.write_at(offset, data).await.map_err(Error::Sink)
}

async fn expand<S: Source>(file: &mut Cache<'_, S>, at: u64, bytes: u32, codec: Codec, length: u64) -> Result<Vec<u8>, Error> {
    let data = file.read(at, bytes as usize, "a compressed part").await?;
    decompress(codec, &data, usize::try_from(length).unwrap_or(usize::MAX))
}

/// What was decompressed, until a whole piece can be written.
#[derive(Default)]
struct Gathered {
    offset: u64,
    data: BytesMut,
}

impl Gathered {
    async fn add<T: Sink>(&mut self, sink: &T, offset: u64, data: &[u8]) -> Result<(), Error> {
        let end = self.offset + self.data.len() as u64;
        if end != offset || end / PIECE_BYTES != self.offset / PIECE_BYTES {
            self.flush(sink).await?;
            self.offset = offset;
        }
        if self.data.capacity() == 0 {
            self.data.reserve(PIECE_BYTES as usize);
        }
        self.data.extend_from_slice(data);
        Ok(())
    }

    async fn flush<T: Sink>(&mut self, sink: &T) -> Result<(), Error> {
        match self.data.is_empty() {
            true => Ok(()),
            false => sink.write_at(self.offset, std::mem::take(&mut self.data).freeze()).await.map_err(Error::Sink),
        }
    }
}

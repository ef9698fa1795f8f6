//! A stream of bytes becomes the content of an RBD image, as it is. Hashed on threads of their own; the bytes' format is
//! looked at while they come, so that a wrong one is refused before gigabytes of it were sent.
//!
//! What always holds: memory is bounded whatever the client does; nothing is written beyond what was announced or allowed.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use cuttle_formats::{Format, START_BYTES, TAIL_BYTES, check, detect};
use cuttle_rbd_backend::{FreshImage, ImagePool, WriteImage, WriterOptions};
use futures::StreamExt;
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha512};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::uploads::UploadData;
use crate::ImportError;

/// By how much an image of unknown size grows at a time.
pub(super) const GROWTH_BYTES: u64 = 256 << 20;
/// RBD images end on a sector.
const SECTOR: u64 = 512;
/// Chunks are gathered to this size: they come as small as a network's packets, and each costs every hash a wake-up.
const PIECE_BYTES: usize = 4 << 20;
/// Pieces that a hash may be behind.
const BEHIND: usize = 4;

/// What is known of an upload before it comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) format: Format,
    pub(super) bytes: Option<u64>,
    /// The most that may come.
    pub(super) limit_bytes: u64,
}

/// What came in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Received {
    pub(super) bytes: u64,
    pub(super) md5: String,
    pub(super) sha512: String,
}

/// Writes the stream to the image `name`, which was made for it and is still empty. `progress` is told how many bytes came.
pub(super) async fn receive(
    pool: &dyn ImagePool,
    name: String,
    expected: Expected,
    data: &mut UploadData,
    progress: impl Fn(u64) + Send + Sync,
) -> Result<Received, ImportError> {
    // What is all zeroes need not be written.
    let options = WriterOptions { fresh: FreshImage::Yes, ..WriterOptions::default() };
    let mut writer = pool.open_writer(name.into(), options).await?;
    let written = write(writer.as_mut(), expected, data, progress).await;
    // The image is closed in any case: it goes to the trash or is read next.
    let finished = writer.finish().await;
    let received = written?;
    finished?;
    Ok(received)
}

async fn write(
    writer: &mut dyn WriteImage,
    expected: Expected,
    data: &mut UploadData,
    progress: impl Fn(u64) + Send + Sync,
) -> Result<Received, ImportError> {
    let hashes = [Hash::start::<Md5>(), Hash::start::<Sha512>()];
    let mut pieces = Pieces::default();
    let mut ends = Ends::default();
    let mut received: u64 = 0;
    while let Some(chunk) = data.next().await {
        let chunk = chunk.map_err(|reason| ImportError::Interrupted { received, reason })?;
        received += chunk.len() as u64;
        if let Some(announced) = expected.bytes.filter(|announced| received > *announced) {
            return Err(ImportError::WrongSize { expected: announced, received });
        }
        if received > expected.limit_bytes {
            return Err(ImportError::TooLarge { limit: expected.limit_bytes });
        }
        ends.add(&chunk, expected.format)?;
        progress(received);
        pieces.add(chunk);
        while let Some(piece) = pieces.next() {
            write_piece(writer, &hashes, piece).await?;
        }
    }
    if let Some(announced) = expected.bytes.filter(|announced| received != *announced) {
        return Err(ImportError::WrongSize { expected: announced, received });
    }
    if received == 0 {
        return Err(ImportError::Empty);
    }
    check(expected.format, &ends.start, &ends.tail)?;
    write_piece(writer, &hashes, pieces.rest()).await?;
    if writer.size_bytes() != round_up(received) {
        writer.set_size(round_up(received)).await?;
    }
    let [md5, sha512] = hashes;
    Ok(Received { bytes: received, md5: md5.finish().await?, sha512: sha512.finish().await? })
}

async fn write_piece(writer: &mut dyn WriteImage, hashes: &[Hash; 2], piece: Bytes) -> Result<(), ImportError> {
    for hash in hashes {
        hash.add(&piece).await;
    }
    let end = writer.position() + piece.len() as u64;
    if end > writer.size_bytes() {
        writer.set_size(end.next_multiple_of(GROWTH_BYTES)).await?;
    }
    writer.append(piece).await?;
    Ok(())
}

pub(super) fn round_up(bytes: u64) -> u64 {
    bytes.next_multiple_of(SECTOR)
}

/// The first and last bytes: they say what format it is.
#[derive(Default)]
struct Ends {
    start: Vec<u8>,
    tail: Vec<u8>,
}

impl Ends {
    /// Refuses at once what shows at its start that it is something else.
    fn add(&mut self, chunk: &[u8], declared: Format) -> Result<(), ImportError> {
        if self.start.len() < START_BYTES {
            self.start.extend(chunk.iter().take(START_BYTES - self.start.len()));
            if let Some(found) = detect(&self.start, &[])
                && found != declared.as_str()
            {
                check(declared, &self.start, &[])?;
            }
        }
        let last = &chunk[chunk.len().saturating_sub(TAIL_BYTES)..];
        let excess = (self.tail.len() + last.len()).saturating_sub(TAIL_BYTES);
        self.tail.drain(..excess);
        self.tail.extend_from_slice(last);
        Ok(())
    }
}

/// Chunks become pieces of one size, each in one buffer, which is used again when nobody holds the piece any more.
#[derive(Default)]
struct Pieces {
    gathered: BytesMut,
    /// What is not in there yet.
    chunk: Bytes,
    /// Pieces that were handed out, the oldest first.
    lent: VecDeque<Bytes>,
}

impl Pieces {
    /// The last chunk was gone through.
    fn add(&mut self, chunk: Bytes) {
        self.chunk = chunk;
    }

    /// A whole piece; none: another chunk is needed.
    fn next(&mut self) -> Option<Bytes> {
        if self.gathered.capacity() == 0 {
            self.gathered = self.buffer();
        }
        let taken = self.chunk.split_to(self.chunk.len().min(PIECE_BYTES - self.gathered.len()));
        self.gathered.extend_from_slice(&taken);
        (self.gathered.len() == PIECE_BYTES).then(|| {
            let piece = std::mem::take(&mut self.gathered).freeze();
            self.lent.push_back(piece.clone());
            piece
        })
    }

    fn buffer(&mut self) -> BytesMut {
        match self.lent.pop_front().map(Bytes::try_into_mut) {
            Some(Ok(mut free)) => {
                free.clear();
                free.reserve(PIECE_BYTES);
                free
            }
            Some(Err(held)) => {
                self.lent.push_front(held);
                BytesMut::with_capacity(PIECE_BYTES)
            }
            None => BytesMut::with_capacity(PIECE_BYTES),
        }
    }

    /// What is left at the end; shorter than a piece, or nothing.
    fn rest(self) -> Bytes {
        self.gathered.freeze()
    }
}

/// A hash on a thread of its own, which the stream waits for only when it is far behind.
pub(super) struct Hash {
    chunks: mpsc::Sender<Bytes>,
    digest: JoinHandle<String>,
}

impl Hash {
    pub(super) fn start<D: Digest + Send + 'static>() -> Self {
        let (chunks, mut receiver) = mpsc::channel::<Bytes>(BEHIND);
        let digest = tokio::task::spawn_blocking(move || {
            let mut hash = D::new();
            while let Some(chunk) = receiver.blocking_recv() {
                hash.update(&chunk);
            }
            hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
        });
        Self { chunks, digest }
    }

    pub(super) async fn add(&self, chunk: &Bytes) {
        // Fails only if the thread has panicked, which `finish` tells.
        let _ = self.chunks.send(chunk.clone()).await;
    }

    pub(super) async fn finish(self) -> Result<String, ImportError> {
        drop(self.chunks);
        self.digest.await.map_err(|error| ImportError::Storage(format!("a checksum could not be computed: {error}")))
    }
}

impl From<cuttle_formats::Error> for ImportError {
    fn from(error: cuttle_formats::Error) -> Self {
        match error.is_files() {
            true => Self::BadFile(error.to_string()),
            false => Self::Storage(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_kept_however_the_chunks_fall() {
        let data: Vec<u8> = (0..40_000_u32).map(|index| (index % 251) as u8).collect();
        for size in [1, 7, 511, 512, 513, 40_000] {
            let mut ends = Ends::default();
            for chunk in data.chunks(size) {
                assert!(ends.add(chunk, Format::Raw).is_ok());
            }
            assert_eq!((&ends.start[..], &ends.tail[..]), (&data[..START_BYTES], &data[data.len() - TAIL_BYTES..]), "{size}");
        }
    }

    #[test]
    fn pieces_are_whole_and_in_order_however_the_chunks_fall() {
        let data: Vec<u8> = (0..2 * PIECE_BYTES + 4321).map(|index| (index % 251) as u8).collect();
        for size in [1000, 65_536, PIECE_BYTES - 1, PIECE_BYTES, 2 * PIECE_BYTES + 1, data.len()] {
            let (mut pieces, mut found) = (Pieces::default(), Vec::new());
            for chunk in data.chunks(size) {
                pieces.add(Bytes::copy_from_slice(chunk));
                found.extend(std::iter::from_fn(|| pieces.next()));
            }
            found.push(pieces.rest());
            assert_eq!(found.iter().map(Bytes::len).collect::<Vec<_>>(), [PIECE_BYTES, PIECE_BYTES, 4321], "{size}");
            assert!(found.concat() == data, "{size}");
        }
    }

    #[test]
    fn a_wrong_start_is_refused_at_once_and_a_vhd_has_none() {
        assert!(Ends::default().add(b"QFI\xfb", Format::Raw).is_err());
        assert!(Ends::default().add(b"KDMV", Format::Qcow2).is_err());
        assert!(Ends::default().add(b"QFI\xfb", Format::Qcow2).is_ok());
        assert!(Ends::default().add(&[0; 100_000], Format::Vhd).is_ok());
        assert!(Ends::default().add(&[0; 100_000], Format::Iso).is_ok(), "this shows at the end");
    }
}

//! An image's bytes, from its snapshot: as they were uploaded where that was a disk as it is, else the disk.

use std::sync::Arc;

use bytes::Bytes;
use cuttle_formats::Format;
use cuttle_model::disk::{IMAGE_SNAPSHOT, image_name};
use cuttle_model::image::Image;
use cuttle_rbd_backend::{Error, ReadImage};
use futures::{Stream, StreamExt, stream};

use crate::Control;

/// What is read at once: an object.
const PIECE_BYTES: u64 = 4 << 20;
/// Reads under way at once: what is held for a client that takes its time.
const READS: usize = 3;

/// An image's bytes.
pub struct Data {
    reader: Arc<dyn ReadImage>,
    size_bytes: u64,
    /// Are these the bytes that were uploaded, so that the checksums are theirs?
    pub is_upload: bool,
}

/// Opens an image's data; `None` if there is none.
pub async fn data(control: &Control, image: &Image) -> Result<Option<Data>, Error> {
    let pool = control.ceph().pool(&control.settings().images_pool);
    let Some(reader) = pool.open_reader(image_name(image.id).into(), Some(IMAGE_SNAPSHOT)).await? else { return Ok(None) };
    let is_upload = image.disk_format.as_deref().and_then(Format::from_word).is_none_or(Format::is_plain);
    // The RBD image of an upload is rounded up to a sector.
    let size_bytes = image.size_bytes.filter(|_| is_upload).unwrap_or(reader.size_bytes()).min(reader.size_bytes());
    Ok(Some(Data { reader: reader.into(), size_bytes, is_upload }))
}

impl Data {
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The bytes from `start` up to `end`, which is not among them. Memory is bounded, however slowly they are taken.
    pub fn stream(self, start: u64, end: u64) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
        pieces(self.reader, start, end.min(self.size_bytes))
    }
}

/// The bytes from `start` up to `end`, in order.
pub(super) fn pieces(
    reader: Arc<dyn ReadImage>,
    start: u64,
    end: u64,
) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
    let offsets = std::iter::successors(Some(start), |at| Some((at / PIECE_BYTES + 1) * PIECE_BYTES));
    let reads = offsets.take_while(move |at| *at < end).map(move |at| {
        let (reader, length) = (Arc::clone(&reader), (PIECE_BYTES - at % PIECE_BYTES).min(end - at));
        async move { reader.read_at(at, usize::try_from(length).unwrap_or(0)).await }
    });
    stream::iter(reads).buffered(READS)
}

//! An upload that is not raw becomes the image's disk: read from where it was kept in Ceph, and written to its place.
//!
//! What always holds: it follows from the upload alone, so whoever takes the operation up does it again from the start and
//! ends with the same bytes; memory is bounded; the work ends soon after nobody waits for it any more.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cuttle_formats::{Disk, Format, Limits, OutsideError, Sink, Source, copy};
use cuttle_model::fault::FaultKind;
use cuttle_rbd_backend::{FreshImage, ImagePool, Metadata, ReadImage, WriteImage, WriterOptions};
use futures::StreamExt;
use sha2::Sha512;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::download::pieces;
use super::receive::{Hash, round_up};
use crate::ImportError;
use crate::engine::{Context, StepError};

/// How often it is noted how far the conversion is.
const NOTED: Duration = Duration::from_secs(1);

/// What is converted, and to what.
pub(super) struct Plan {
    pub(super) pool: Arc<dyn ImagePool>,
    pub(super) upload: String,
    /// How many bytes came; the RBD image is rounded up.
    pub(super) upload_bytes: u64,
    pub(super) format: Format,
    pub(super) image: String,
    pub(super) metadata: Metadata,
    pub(super) limit_bytes: u64,
}

/// The disk.
pub(super) struct Converted {
    pub(super) size_bytes: u64,
    pub(super) sha512: String,
}

/// Converts; answers what has become of it.
pub(super) async fn convert(context: &Context, plan: Plan) -> Result<Converted, StepError> {
    let _slot = context.or_cancelled(context.control.uploads().conversion()).await?;
    let (stop, (position, mut done)) = (CancellationToken::new(), watch::channel(0));
    // Whatever ends this wait ends the work.
    let _stop = stop.clone().drop_guard();
    let runtime = Handle::current();
    // Decompression takes the processor for long, so the whole of it has a thread.
    let work = tokio::task::spawn_blocking(move || {
        runtime.block_on(async {
            tokio::select! {
                () = stop.cancelled() => Err(StepError::Cancelled),
                converted = run(plan, &position) => converted.map_err(WorkError::into_step),
            }
        })
    });
    tokio::pin!(work);
    loop {
        let ended = context.or_cancelled(tokio::time::timeout(NOTED, &mut work)).await?;
        match ended {
            Err(_elapsed) => {
                let far = *done.borrow_and_update();
                super::import::note(context, far, None).await;
            }
            Ok(Ok(Ok(converted))) => return Ok(converted),
            Ok(Ok(Err(error))) => {
                if let StepError::Failed(fault) = &error {
                    let failure = ImportError::BadFile(fault.message.clone());
                    context.control.uploads().fail(context.operation, failure);
                }
                return Err(error);
            }
            Ok(Err(error)) => {
                return Err(StepError::failed(FaultKind::Internal, format!("the conversion broke off: {error}")));
            }
        }
    }
}

async fn run(plan: Plan, position: &watch::Sender<u64>) -> Result<Converted, WorkError> {
    let Plan { pool, upload, upload_bytes, format, image, metadata, limit_bytes } = plan;
    let reader = pool.open_reader(upload.into(), None).await?.ok_or(WorkError::NoUpload)?;
    let source = Upload { reader, size_bytes: upload_bytes };
    let mut disk = Disk::open(&source, format, Limits { virtual_bytes: limit_bytes }).await?;
    let size = round_up(disk.virtual_bytes());
    pool.create_image(&image, size, &metadata).await?;
    // An earlier attempt may have written to it: the same bytes to the same places.
    let options = WriterOptions { fresh: FreshImage::Yes, ..WriterOptions::default() };
    let target = Target(pool.open_writer(image.as_str().into(), options).await?);
    let copied = copy(&source, &mut disk, &target, |far| {
        position.send_replace(far);
    })
    .await;
    let finished = target.0.finish().await;
    copied?;
    finished?;
    Ok(Converted { size_bytes: size, sha512: sha512_of(pool.as_ref(), image, size).await? })
}

/// Read back in order, because a copy writes in none: what a download will send, as it is in Ceph.
async fn sha512_of(pool: &dyn ImagePool, image: String, size_bytes: u64) -> Result<String, WorkError> {
    let reader = pool.open_reader(image.into(), None).await?.ok_or(WorkError::NoImage)?;
    let hash = Hash::start::<Sha512>();
    let mut data = std::pin::pin!(pieces(reader.into(), 0, size_bytes));
    while let Some(piece) = data.next().await {
        hash.add(&piece?).await;
    }
    hash.finish().await.map_err(WorkError::Hash)
}

/// The upload, as far as it goes.
struct Upload {
    reader: Box<dyn ReadImage>,
    size_bytes: u64,
}

impl Source for Upload {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, OutsideError> {
        Ok(self.reader.read_at(offset, length).await?)
    }
}

/// The disk. What is all zeroes is left out by the writer.
struct Target(Box<dyn WriteImage>);

impl Sink for Target {
    async fn write_at(&self, offset: u64, data: Bytes) -> Result<(), OutsideError> {
        Ok(self.0.write_at(offset, data).await?)
    }
}

/// Why it did not work.
#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error("the upload is gone")]
    NoUpload,
    #[error("the image that was just written is gone")]
    NoImage,
    #[error(transparent)]
    Hash(ImportError),
    #[error(transparent)]
    File(#[from] cuttle_formats::Error),
    #[error(transparent)]
    Ceph(#[from] cuttle_rbd_backend::Error),
}

impl WorkError {
    /// What the file cannot be helped with fails; what Ceph could not do may be tried again.
    fn into_step(self) -> StepError {
        match self {
            Self::Ceph(error) => error.into(),
            Self::File(cuttle_formats::Error::Source(error) | cuttle_formats::Error::Sink(error)) => {
                match error.downcast::<cuttle_rbd_backend::Error>() {
                    Ok(error) => (*error).into(),
                    Err(error) => StepError::retry(FaultKind::Storage, error.to_string()),
                }
            }
            other => StepError::failed(FaultKind::Storage, other.to_string()),
        }
    }
}

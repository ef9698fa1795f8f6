//! Import: a stream of raw bytes becomes an image from which instances are cloned.
//!
//! The stream belongs to the control node that the client talks to, so an import whose node dies is
//! undone by whoever takes it up: the image is queued again, and nothing of it is left in Ceph.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cuttle_database::{Begin, Begun, Mark, WhenBusy};
use cuttle_model::disk::{IMAGE_SNAPSHOT, image_name, owner};
use cuttle_model::fault::FaultKind;
use cuttle_model::ids::{ImageId, OperationId, ProjectId};
use cuttle_model::image::{Image, ImageStatus};
use cuttle_model::operation::{OperationKind, OperationStatus, Subject};
use cuttle_rbd_backend::{FreshImage, Metadata, WriteImage, WriterOptions};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha512};

use super::format;
use crate::engine::{self, Context, Outcome, Step, StepError, Steps, step};
use crate::{Control, ImportError, Requester};

/// By how much an image of unknown size grows at a time.
const GROWTH_BYTES: u64 = 256 << 20;
/// RBD images end on a sector.
const SECTOR: u64 = 512;

/// The operation's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Import {
    image_id: ImageId,
    project_id: ProjectId,
    expected_bytes: Option<u64>,
    received: Option<Received>,
}

/// What came in.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Received {
    bytes: u64,
    virtual_bytes: u64,
    md5: String,
    sha512: String,
}

/// Uploads whose clients are connected to this node.
#[derive(Default)]
pub(crate) struct Uploads(Mutex<HashMap<OperationId, Upload>>);

struct Upload {
    data: BoxStream<'static, Result<Bytes, String>>,
    /// Why it failed, for the client.
    failure: Arc<Mutex<Option<ImportError>>>,
}

impl Uploads {
    fn insert(&self, operation: OperationId, upload: Upload) {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(operation, upload);
    }

    fn take(&self, operation: OperationId) -> Option<Upload> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(&operation)
    }
}

impl Steps for Import {
    const KIND: OperationKind = OperationKind::ImportImage;

    fn steps() -> Vec<Step<Self>> {
        vec![
            step!("create image", create_image, undo: trash_image),
            step!("write data", write_data, no_undo: "the image goes as a whole"),
            step!("take snapshot", take_snapshot, no_undo: "the image goes as a whole"),
        ]
    }

    fn end_image(&self, outcome: &Outcome, image: &mut Image) {
        match (outcome, &self.received) {
            (Outcome::Succeeded, Some(received)) => {
                image.status = ImageStatus::Active;
                image.size_bytes = Some(received.bytes);
                image.virtual_size_bytes = Some(received.virtual_bytes);
                image.checksum = Some(received.md5.clone());
                image.sha512 = Some(received.sha512.clone());
            }
            _ => image.status = ImageStatus::Queued,
        }
    }
}

/// Brings `data` in as the image's data; returns when instances can be made of it, or when nothing of
/// the attempt is left.
pub async fn import<E: std::fmt::Display>(
    control: &Control,
    who: &Requester,
    image: Image,
    data: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    expected_bytes: Option<u64>,
) -> Result<Image, ImportError> {
    if image.status != ImageStatus::Queued {
        return Err(ImportError::WrongStatus(image.status));
    }
    let state = Import { image_id: image.id, project_id: image.project_id, expected_bytes, received: None };
    let operation = crate::power::new_operation(control, who, Import::KIND, Subject::Image(image.id), &state);
    let id = operation.id;
    let failure = Arc::new(Mutex::new(None));
    let data = data.map(|chunk| chunk.map_err(|error| error.to_string())).boxed();
    let mark = Mark::Image { generation: image.generation, status: ImageStatus::Saving };
    let begin = Begin { operation, mark, when_busy: WhenBusy::Refuse };
    let database = control.database();
    match database.begin_operation(&begin).await? {
        Begun::Begun => {}
        Begun::Busy | Begun::Stale | Begun::Waiting => return Err(ImportError::WrongStatus(ImageStatus::Saving)),
    }
    control.uploads().insert(id, Upload { data, failure: Arc::clone(&failure) });
    let ended = engine::finish(control, begin.operation).await?;
    control.uploads().take(id);
    match ended.status {
        OperationStatus::Succeeded => {
            let stored = database.get_image(image.id).await?;
            stored.ok_or_else(|| ImportError::Storage("the image was deleted".to_owned()))
        }
        _ => {
            let known = failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
            let other = || ImportError::Storage(ended.fault.map_or_else(String::new, |fault| fault.message));
            Err(known.unwrap_or_else(other))
        }
    }
}

async fn create_image(context: &Context, state: &mut Import) -> Result<(), StepError> {
    let control = &context.control;
    let metadata = Metadata::from([
        (owner::IMAGE.to_owned(), state.image_id.to_string()),
        (owner::PROJECT.to_owned(), state.project_id.to_string()),
        (owner::OPERATION.to_owned(), context.operation.to_string()),
    ]);
    let size = state.expected_bytes.map_or(GROWTH_BYTES, round_up);
    control.ceph().pool(&control.settings().images_pool).create_image(&image_name(state.image_id), size, &metadata).await?;
    Ok(())
}

async fn trash_image(context: &Context, state: &mut Import) -> Result<(), StepError> {
    let control = &context.control;
    let pool = control.ceph().pool(&control.settings().images_pool);
    // Nobody has seen it, so nobody can want it back.
    pool.trash_move(&image_name(state.image_id), std::time::Duration::ZERO).await?;
    Ok(())
}

async fn write_data(context: &Context, state: &mut Import) -> Result<(), StepError> {
    let Some(mut upload) = context.control.uploads().take(context.operation) else {
        return Err(StepError::failed(FaultKind::Unknown, "the upload broke off: the control node that received it was lost"));
    };
    match receive(context, state, &mut upload.data).await {
        Ok(received) => {
            state.received = Some(received);
            Ok(())
        }
        Err(failure) => {
            let message = failure.to_string();
            *upload.failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(failure);
            Err(StepError::failed(FaultKind::Storage, message))
        }
    }
}

async fn receive(
    context: &Context,
    state: &Import,
    data: &mut BoxStream<'static, Result<Bytes, String>>,
) -> Result<Received, ImportError> {
    let control = &context.control;
    let pool = control.ceph().pool(&control.settings().images_pool);
    let name = image_name(state.image_id);
    // The image was made for this upload a moment ago; what is all zeroes need not be written.
    let options = WriterOptions { fresh: FreshImage::Yes, ..WriterOptions::default() };
    let mut writer = pool.open_writer(name.into(), options).await?;
    let written = write_stream(context, writer.as_mut(), state.expected_bytes, data).await;
    // The image is closed in any case: it goes to the trash or gets its snapshot next.
    let finished = writer.finish().await;
    let received = written?;
    finished?;
    Ok(received)
}

async fn write_stream(
    context: &Context,
    writer: &mut dyn WriteImage,
    expected: Option<u64>,
    data: &mut BoxStream<'static, Result<Bytes, String>>,
) -> Result<Received, ImportError> {
    let (mut md5, mut sha512) = (Md5::new(), Sha512::new());
    let mut start = Vec::with_capacity(format::SNIFFED_BYTES);
    let mut received: u64 = 0;
    while let Some(chunk) = data.next().await {
        let chunk = chunk.map_err(|reason| ImportError::Interrupted { received, reason })?;
        received += chunk.len() as u64;
        if let Some(expected) = expected.filter(|expected| received > *expected) {
            return Err(ImportError::WrongSize { expected, received });
        }
        if start.len() < format::SNIFFED_BYTES {
            start.extend(chunk.iter().take(format::SNIFFED_BYTES - start.len()));
            if let Some(found) = format::not_raw(&start) {
                return Err(ImportError::WrongFormat { found });
            }
        }
        md5.update(&chunk);
        sha512.update(&chunk);
        if received > writer.size_bytes() {
            writer.set_size(received.next_multiple_of(GROWTH_BYTES)).await?;
        }
        writer.append(chunk).await?;
        context.progress(received, expected).await;
    }
    if let Some(expected) = expected.filter(|expected| received != *expected) {
        return Err(ImportError::WrongSize { expected, received });
    }
    if received == 0 {
        return Err(ImportError::Empty);
    }
    let virtual_bytes = round_up(received);
    if writer.size_bytes() != virtual_bytes {
        writer.set_size(virtual_bytes).await?;
    }
    Ok(Received { bytes: received, virtual_bytes, md5: hex(&md5.finalize()), sha512: hex(&sha512.finalize()) })
}

async fn take_snapshot(context: &Context, state: &mut Import) -> Result<(), StepError> {
    let control = &context.control;
    let pool = control.ceph().pool(&control.settings().images_pool);
    let name = image_name(state.image_id);
    pool.create_snapshot(name.as_str().into(), IMAGE_SNAPSHOT).await?;
    pool.protect_snapshot(name.into(), IMAGE_SNAPSHOT).await?;
    Ok(())
}

fn round_up(bytes: u64) -> u64 {
    bytes.next_multiple_of(SECTOR)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl From<cuttle_rbd_backend::Error> for ImportError {
    fn from(error: cuttle_rbd_backend::Error) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<cuttle_database::Error> for ImportError {
    fn from(error: cuttle_database::Error) -> Self {
        Self::Database(error.to_string())
    }
}

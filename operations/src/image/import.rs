//! Import: what a client uploads becomes an image from which instances are cloned.
//!
//! ```text
//! raw, iso:            upload ────────────────────────────────────────────► <id> ──► <id>@snap
//! qcow2, vmdk, vdi, …: upload ──► <id>_upload ──► converted, sparse stays ──► <id> ──► <id>@snap; <id>_upload goes
//! ```
//!
//! The stream belongs to the control node that the client talks to: an import whose node dies while data comes in is undone by
//! whoever takes it up, the image is queued again, and nothing of it is left in Ceph. Once the data is in, any node goes on.

use bytes::Bytes;
use cuttle_database::{Begin, Begun, Mark, WhenBusy};
use cuttle_formats::Format;
use cuttle_model::disk::{IMAGE_SNAPSHOT, image_name, owner, upload_name};
use cuttle_model::fault::FaultKind;
use cuttle_model::ids::{ImageId, ProjectId};
use cuttle_model::image::{Image, ImageStatus};
use cuttle_model::operation::{OperationKind, OperationStatus, Progress, Subject};
use cuttle_rbd_backend::Metadata;
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::convert::{self, Plan};
use super::receive::{Expected, GROWTH_BYTES, Received, receive, round_up};
use crate::engine::{self, Context, Outcome, Step, StepError, Steps, step};
use crate::{Control, ImportError, Requester};

/// How often it is noted how much came.
const NOTED: Duration = Duration::from_secs(1);

/// The operation's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Import {
    image_id: ImageId,
    project_id: ProjectId,
    /// The format that was declared, in Glance's word.
    format: String,
    expected_bytes: Option<u64>,
    received: Option<Received>,
    /// The size of the disk.
    virtual_bytes: Option<u64>,
}

impl Steps for Import {
    const KIND: OperationKind = OperationKind::ImportImage;

    fn steps() -> Vec<Step<Self>> {
        vec![
            step!("create image", create_image, undo: trash_images),
            step!("write data", write_data, no_undo: "the image goes as a whole"),
            step!("convert", convert_upload, no_undo: "the image goes as a whole"),
            step!("take snapshot", take_snapshot, no_undo: "the image goes as a whole"),
            step!("remove upload", remove_upload, no_undo: "nobody needs it once there is an image"),
        ]
    }

    fn end_image(&self, outcome: &Outcome, image: &mut Image) {
        match (outcome, &self.received) {
            (Outcome::Succeeded, Some(received)) => {
                image.status = ImageStatus::Active;
                image.size_bytes = Some(received.bytes);
                image.virtual_size_bytes = self.virtual_bytes;
                image.checksum = Some(received.md5.clone());
                image.sha512 = Some(received.sha512.clone());
                image.failure = None;
            }
            (Outcome::Undone(fault) | Outcome::Parked(fault), _) => {
                image.status = ImageStatus::Queued;
                image.failure = Some(fault.message.clone());
            }
            (Outcome::Succeeded, None) => image.status = ImageStatus::Queued,
        }
    }
}

impl Import {
    fn format(&self) -> Format {
        Format::from_word(&self.format).unwrap_or(Format::Raw)
    }

    /// Where the upload goes: right into the image where its bytes are the disk's.
    fn upload(&self) -> String {
        match self.format().is_plain() {
            true => image_name(self.image_id),
            false => upload_name(self.image_id),
        }
    }

    fn metadata(&self, context: &Context) -> Metadata {
        Metadata::from([
            (owner::IMAGE.to_owned(), self.image_id.to_string()),
            (owner::PROJECT.to_owned(), self.project_id.to_string()),
            (owner::OPERATION.to_owned(), context.operation.to_string()),
        ])
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
    let format = image.disk_format.clone().unwrap_or_else(|| Format::Raw.as_str().to_owned());
    if Format::from_word(&format).is_none() {
        return Err(ImportError::BadFile(format!("images of format '{format}' are not taken")));
    }
    let limit = control.settings().image_limit_bytes();
    if expected_bytes.is_some_and(|bytes| bytes > limit) {
        return Err(ImportError::TooLarge { limit });
    }
    let state =
        Import { image_id: image.id, project_id: image.project_id, format, expected_bytes, received: None, virtual_bytes: None };
    let operation = crate::power::new_operation(control, who, Import::KIND, Subject::Image(image.id), &state);
    let id = operation.id;
    let mark = Mark::Image { generation: image.generation, status: ImageStatus::Saving };
    let begin = Begin { operation, mark, when_busy: WhenBusy::Refuse, room: None };
    let database = control.database();
    match database.begin_operation(&begin).await? {
        Begun::Begun => {}
        _ => return Err(ImportError::WrongStatus(ImageStatus::Saving)),
    }
    control.uploads().insert(id, data.map(|chunk| chunk.map_err(|error| error.to_string())).boxed());
    let ended = engine::finish(control, begin.operation).await;
    let failure = control.uploads().remove(id);
    let ended = ended?;
    match ended.status {
        OperationStatus::Succeeded => database.get_image(image.id).await?.ok_or(ImportError::Deleted),
        _ if ended.cancel_requested => Err(ImportError::Deleted),
        _ => {
            let other = || ImportError::Storage(ended.fault.map_or_else(String::new, |fault| fault.message));
            Err(failure.unwrap_or_else(other))
        }
    }
}

async fn create_image(context: &Context, state: &mut Import) -> Result<(), StepError> {
    let control = &context.control;
    let size = state.expected_bytes.map_or(GROWTH_BYTES, round_up);
    let pool = control.ceph().pool(&control.settings().images_pool);
    pool.create_image(&state.upload(), size, &state.metadata(context)).await?;
    Ok(())
}

async fn trash_images(context: &Context, state: &mut Import) -> Result<(), StepError> {
    let control = &context.control;
    let pool = control.ceph().pool(&control.settings().images_pool);
    for name in [image_name(state.image_id), upload_name(state.image_id)] {
        // Nobody has seen it, so nobody can want it back.
        pool.trash_move(&name, Duration::ZERO).await?;
    }
    Ok(())
}

async fn write_data(context: &Context, state: &mut Import) -> Result<(), StepError> {
    let control = &context.control;
    let Some(mut data) = control.uploads().take(context.operation) else {
        return Err(StepError::failed(FaultKind::Unknown, "the upload broke off: the control node that received it was lost"));
    };
    let pool = control.ceph().pool(&control.settings().images_pool);
    let expected =
        Expected { format: state.format(), bytes: state.expected_bytes, limit_bytes: control.settings().image_limit_bytes() };
    let far = AtomicU64::new(0);
    let receiving = receive(pool.as_ref(), state.upload(), expected, &mut data, |bytes| far.store(bytes, Ordering::Relaxed));
    // Beside it: the data does not wait for the database.
    let received = tokio::select! {
        received = context.or_cancelled(receiving) => received?,
        never = note_again_and_again(context, &far, state.expected_bytes) => match never {},
    };
    match received {
        Ok(received) => {
            state.virtual_bytes = state.format().is_plain().then(|| round_up(received.bytes));
            state.received = Some(received);
            Ok(())
        }
        Err(failure) => {
            let message = failure.to_string();
            control.uploads().fail(context.operation, failure);
            Err(StepError::failed(FaultKind::Storage, message))
        }
    }
}

async fn note_again_and_again(context: &Context, far: &AtomicU64, total: Option<u64>) -> Infallible {
    loop {
        tokio::time::sleep(NOTED).await;
        note(context, far.load(Ordering::Relaxed), total).await;
    }
}

/// Notes how far a step is. Nothing depends on it.
pub(super) async fn note(context: &Context, done: u64, total: Option<u64>) {
    let noted = context.control.database().note_progress(context.guard, context.attempt(), Progress { done, total }).await;
    if let Err(error) = noted {
        tracing::debug!(operation = %context.operation, %error, "progress could not be noted");
    }
}

async fn convert_upload(context: &Context, state: &mut Import) -> Result<(), StepError> {
    let Some(received) = state.received.as_ref().filter(|_| !state.format().is_plain()) else { return Ok(()) };
    let control = &context.control;
    let plan = Plan {
        pool: control.ceph().pool(&control.settings().images_pool),
        upload: state.upload(),
        upload_bytes: received.bytes,
        format: state.format(),
        image: image_name(state.image_id),
        metadata: state.metadata(context),
        limit_bytes: control.settings().image_limit_bytes(),
    };
    let converted = convert::convert(context, plan).await?;
    state.virtual_bytes = Some(converted.size_bytes);
    // Clients hold what they download against this one, and what they have uploaded against the MD5.
    if let Some(received) = &mut state.received {
        received.sha512 = converted.sha512;
    }
    Ok(())
}

async fn take_snapshot(context: &Context, state: &mut Import) -> Result<(), StepError> {
    let control = &context.control;
    let pool = control.ceph().pool(&control.settings().images_pool);
    let name = image_name(state.image_id);
    pool.create_snapshot(name.as_str().into(), IMAGE_SNAPSHOT).await?;
    pool.protect_snapshot(name.into(), IMAGE_SNAPSHOT).await?;
    Ok(())
}

async fn remove_upload(context: &Context, state: &mut Import) -> Result<(), StepError> {
    let control = &context.control;
    if !state.format().is_plain() {
        let pool = control.ceph().pool(&control.settings().images_pool);
        pool.trash_move(&upload_name(state.image_id), Duration::ZERO).await?;
    }
    Ok(())
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

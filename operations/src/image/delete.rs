//! Delete an image: to the trash. Instances that were cloned from it live on, because a clone names its
//! parent by RBD's id, and the trash keeps it for as long as there are clones.

use cuttle_database::{Begin, Begun, Event, Mark, WhenBusy};
use cuttle_model::disk::image_name;
use cuttle_model::ids::{ImageId, OperationId};
use cuttle_model::image::{Image, ImageStatus};
use cuttle_model::operation::{Operation, OperationKind, Subject};
use serde::{Deserialize, Serialize};

use crate::engine::{self, Context, Outcome, Step, StepError, Steps, step};
use crate::events::wait_for;
use crate::{Control, RequestError, Requester};

/// The operation's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delete {
    image_id: ImageId,
    /// What it goes back to where it cannot be deleted.
    status: ImageStatus,
}

impl Steps for Delete {
    const KIND: OperationKind = OperationKind::DeleteImage;

    fn steps() -> Vec<Step<Self>> {
        vec![step!("move image to trash", trash_image, undo: restore_image)]
    }

    fn end_image(&self, outcome: &Outcome, image: &mut Image) {
        image.status = match outcome {
            Outcome::Succeeded => ImageStatus::Deleted,
            Outcome::Undone(_) | Outcome::Parked(_) => self.status,
        };
    }
}

/// Deletes an image: for users it is gone at once, its data goes to the trash.
pub async fn delete(control: &Control, who: &Requester, image: Image) -> Result<(), RequestError> {
    if image.protected {
        return Err(RequestError::ImageProtected);
    }
    // While its data comes in, that ends first: the image is then queued again.
    let status = if image.status == ImageStatus::Saving { ImageStatus::Queued } else { image.status };
    let state = Delete { image_id: image.id, status };
    let operation = crate::power::new_operation(control, who, Delete::KIND, Subject::Image(image.id), &state);
    let mark = Mark::Image { generation: image.generation, status: image.status };
    let begin = Begin { operation, mark, when_busy: WhenBusy::CancelAndWait, room: None };
    let id = begin.operation.id;
    let ended = match control.database().begin_operation(&begin).await? {
        Begun::Begun => engine::finish(control, begin.operation).await?,
        Begun::Waiting => ended(control, id).await?,
        _ => return Err(RequestError::Busy),
    };
    ended.fault.map_or(Ok(()), |fault| Err(RequestError::Failed(fault)))
}

/// Waits for the end of an operation that waits for another one's.
async fn ended(control: &Control, id: OperationId) -> cuttle_database::Result<Operation> {
    let database = control.database();
    wait_for(
        database,
        |event| event == Event::Ended(id),
        || async { Ok(database.get_operation(id).await?.filter(|operation| !operation.status.is_open())) },
    )
    .await
}

async fn trash_image(context: &Context, state: &mut Delete) -> Result<(), StepError> {
    let control = &context.control;
    let pool = control.ceph().pool(&control.settings().images_pool);
    // None: it never had data, or an earlier run of this step moved it.
    pool.trash_move(&image_name(state.image_id), control.settings().trash_delay()).await?;
    Ok(())
}

/// Brings the data back, where it is in the trash: an image that is still there has its data.
async fn restore_image(context: &Context, state: &mut Delete) -> Result<(), StepError> {
    let control = &context.control;
    let pool = control.ceph().pool(&control.settings().images_pool);
    let name = image_name(state.image_id);
    if pool.info(name.as_str().into()).await?.is_some() {
        return Ok(());
    }
    // The newest one of that name: an upload that broke off may have left others.
    let entries = pool.trash_list().await?.into_iter().filter(|entry| entry.name == name);
    if let Some(entry) = entries.max_by_key(|entry| entry.deleted_at)
        && state.status == ImageStatus::Active
    {
        pool.trash_restore(&entry.id, &name).await?;
    }
    Ok(())
}

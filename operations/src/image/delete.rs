//! Delete an image: to the trash. Instances that were cloned from it live on, because a clone names its
//! parent by RBD's id, and the trash keeps it for as long as there are clones.

use cuttle_database::{Begin, Begun, Mark, WhenBusy};
use cuttle_model::disk::image_name;
use cuttle_model::ids::ImageId;
use cuttle_model::image::{Image, ImageStatus};
use cuttle_model::operation::{OperationKind, Subject};
use serde::{Deserialize, Serialize};

use crate::engine::{self, Context, Outcome, Step, StepError, Steps, step};
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
    let state = Delete { image_id: image.id, status: image.status };
    let operation = crate::power::new_operation(control, who, Delete::KIND, Subject::Image(image.id), &state);
    let mark = Mark::Image { generation: image.generation, status: image.status };
    let begin = Begin { operation, mark, when_busy: WhenBusy::Refuse };
    match control.database().begin_operation(&begin).await? {
        Begun::Begun => {
            let ended = engine::finish(control, begin.operation).await?;
            ended.fault.map_or(Ok(()), |fault| Err(RequestError::Failed(fault)))
        }
        Begun::Busy | Begun::Waiting | Begun::Stale => Err(RequestError::Busy),
    }
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

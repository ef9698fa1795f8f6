//! A root disk that is made larger, and taken back to what it was without copying a byte.
//!
//! ```text
//! keep_and_grow: <id>_disk ── snapshot, grow ──► <id>_disk (larger)
//! bring_back:    <id>_disk (larger) ── rename ──► <id>_disk.larger
//!                snapshot of it ── clone ──► <id>_disk
//! ```
//! RBD never shrinks a disk here, so going back is a clone of the snapshot. Each function is safe to run twice and after
//! any part of itself; images are told by RBD's id, whatever they are called.

use cuttle_model::disk::{Disk, RESIZE_SNAPSHOT, larger_disk_name};
use cuttle_model::fault::FaultKind;
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::DiskBefore;
use cuttle_rbd_backend::{ClonePlan, ImagePool, ImageRef};

use crate::disks::DiskOwner;
use crate::engine::{Context, StepError};

/// Keeps the disk as it is in a snapshot, and makes it larger. Answers what to go back to.
pub(super) async fn keep_and_grow(context: &Context, disk: &Disk, size_bytes: u64) -> Result<DiskBefore, StepError> {
    let pool = context.control.ceph().pool(&disk.pool);
    let image = || ImageRef::id(disk.image_id.clone());
    pool.create_snapshot(image(), RESIZE_SNAPSHOT).await?;
    pool.resize(image(), size_bytes).await?;
    let image_id = disk.image_id.clone();
    context
        .update_instance(|instance| {
            if let Some(root) = instance.root_disk.as_mut().filter(|root| root.image_id == image_id) {
                root.size_bytes = size_bytes;
            }
        })
        .await?;
    Ok(DiskBefore { size_bytes: disk.size_bytes, snapshot: RESIZE_SNAPSHOT.to_owned() })
}

/// The disk is as it was before it was made larger. The larger one stays aside, as the clone's parent.
pub(super) async fn bring_back(context: &Context, owner: DiskOwner, larger: &Disk, before: u64) -> Result<(), StepError> {
    let pool = context.control.ceph().pool(&larger.pool);
    let root = context.instance().await?.root_disk;
    if root.is_none_or(|root| root.image_id != larger.image_id) {
        // It was brought back.
        return Ok(());
    }
    if !is_kept(pool.as_ref(), larger).await? {
        // It was never made larger.
        return Ok(());
    }
    pool.protect_snapshot(image_of(larger), RESIZE_SNAPSHOT).await?;
    let aside = larger_disk_name(owner.instance_id);
    if has_name(pool.as_ref(), larger, &larger.name).await? {
        pool.rename(&larger.name, &aside).await?;
    }
    let plan = ClonePlan {
        parent_pool: larger.pool.clone(),
        parent_image: aside,
        parent_snapshot: RESIZE_SNAPSHOT.to_owned(),
        name: larger.name.clone(),
        size_bytes: before,
        metadata: owner.metadata(context),
    };
    let made = pool.create_clone(plan).await?;
    set_root(context, &Disk { image_id: made.id, size_bytes: made.size_bytes, ..larger.clone() }).await
}

/// The larger disk is the instance's again, where [`bring_back`] was begun: nothing has written to the clone yet.
pub(super) async fn take_larger_again(context: &Context, instance: InstanceId, larger: &Disk) -> Result<(), StepError> {
    let pool = context.control.ceph().pool(&larger.pool);
    set_root(context, larger).await?;
    if has_name(pool.as_ref(), larger, &larger.name).await? {
        return Ok(());
    }
    // Whatever has the name is the clone.
    pool.trash_move(&larger.name, context.control.settings().trash_delay()).await?;
    pool.rename(&larger_disk_name(instance), &larger.name).await?;
    Ok(())
}

/// Moves the larger disk, which nobody goes back to any more, to the trash. Its clone lives on.
pub(super) async fn trash_larger(context: &Context, larger: &Disk) -> Result<(), StepError> {
    let pool = context.control.ceph().pool(&larger.pool);
    let root = context.instance().await?.root_disk;
    if root.is_some_and(|root| root.image_id == larger.image_id) {
        return Ok(());
    }
    pool.trash_move_by_id(&larger.image_id, context.control.settings().trash_delay()).await?;
    Ok(())
}

/// Takes the larger disk out of the trash, if it is there.
pub(super) async fn restore_larger(context: &Context, instance: InstanceId, larger: &Disk) -> Result<(), StepError> {
    let pool = context.control.ceph().pool(&larger.pool);
    if pool.trash_list().await?.iter().any(|entry| entry.id == larger.image_id) {
        pool.trash_restore(&larger.image_id, &larger_disk_name(instance)).await?;
    }
    Ok(())
}

/// Nobody goes back: the snapshot goes.
pub(super) async fn forget_kept(context: &Context, disk: &Disk) -> Result<(), StepError> {
    let pool = context.control.ceph().pool(&disk.pool);
    if is_kept(pool.as_ref(), disk).await? {
        pool.unprotect_snapshot(image_of(disk), RESIZE_SNAPSHOT).await?;
        pool.remove_snapshot(image_of(disk), RESIZE_SNAPSHOT).await?;
    }
    Ok(())
}

/// Is there something to go back to?
pub(super) async fn can_be_brought_back(context: &Context, disk: &Disk) -> Result<bool, StepError> {
    is_kept(context.control.ceph().pool(&disk.pool).as_ref(), disk).await
}

async fn is_kept(pool: &dyn ImagePool, disk: &Disk) -> Result<bool, StepError> {
    let kept = pool.list_snapshots(image_of(disk)).await?.unwrap_or_default();
    Ok(kept.iter().any(|kept| kept.name == RESIZE_SNAPSHOT))
}

fn image_of(disk: &Disk) -> ImageRef {
    ImageRef::id(disk.image_id.clone())
}

/// Is the disk found under this name?
async fn has_name(pool: &dyn ImagePool, disk: &Disk, name: &str) -> Result<bool, StepError> {
    let found = pool.info(ImageRef::Name(name.to_owned())).await?;
    Ok(found.is_some_and(|found| found.id == disk.image_id))
}

async fn set_root(context: &Context, disk: &Disk) -> Result<(), StepError> {
    if context.instance().await?.root_disk.is_none() {
        return Err(StepError::failed(FaultKind::Internal, "the instance has no root disk"));
    }
    context.update_instance(|instance| instance.root_disk = Some(disk.clone())).await
}

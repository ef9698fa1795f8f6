//! An instance's disks: making them, naming their owner, and moving them to the trash.
//!
//! Always true: a disk is made before any guest of its instance runs, so making it again changes nothing
//! that a guest wrote; each disk names its instance in its metadata from its first moment on.

mod fat;
#[cfg(test)]
mod reading;
mod swap;

use bytes::Bytes;
use cuttle_model::disk::{Disk, DiskRole, IMAGE_SNAPSHOT, disk_name, image_name, owner};
use cuttle_model::ids::{ImageId, InstanceId, ProjectId};
use cuttle_rbd_backend::{ClonePlan, FreshImage, ImageInfo, ImageRef, Metadata, WriterOptions};
use futures::future::try_join_all;
use uuid::Uuid;

use crate::engine::{Context, StepError};

/// Whose disks are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiskOwner {
    pub instance_id: InstanceId,
    pub project_id: ProjectId,
}

impl DiskOwner {
    /// What a disk says of its owner.
    pub fn metadata(&self, context: &Context) -> Metadata {
        Metadata::from([
            (owner::INSTANCE.to_owned(), self.instance_id.to_string()),
            (owner::PROJECT.to_owned(), self.project_id.to_string()),
            (owner::OPERATION.to_owned(), context.operation.to_string()),
        ])
    }

    /// The model's disk of an RBD image.
    pub fn disk(&self, context: &Context, role: DiskRole, made: ImageInfo) -> Disk {
        let pool = context.control.settings().vms_pool.clone();
        Disk { role, pool, name: disk_name(self.instance_id, role), image_id: made.id, size_bytes: made.size_bytes }
    }
}

/// Makes the root disk: a clone of the image, grown to `size_bytes`.
pub(crate) async fn make_root(context: &Context, owner: DiskOwner, image: ImageId, size_bytes: u64) -> Result<Disk, StepError> {
    let settings = context.control.settings();
    let plan = ClonePlan {
        parent_pool: settings.images_pool.clone(),
        parent_image: image_name(image),
        parent_snapshot: IMAGE_SNAPSHOT.to_owned(),
        name: disk_name(owner.instance_id, DiskRole::Root),
        size_bytes,
        metadata: owner.metadata(context),
    };
    let made = context.control.ceph().pool(&settings.vms_pool).create_clone(plan).await?;
    Ok(owner.disk(context, DiskRole::Root, made))
}

/// Makes the disks of these roles and sizes, empty but for what makes them usable: a file system on the
/// ephemeral disk, a swap area on the swap disk.
pub(crate) async fn make_empty(context: &Context, owner: DiskOwner, wanted: &[(DiskRole, u64)]) -> Result<Vec<Disk>, StepError> {
    try_join_all(wanted.iter().map(|(role, size_bytes)| make_one(context, owner, *role, *size_bytes))).await
}

async fn make_one(context: &Context, owner: DiskOwner, role: DiskRole, size_bytes: u64) -> Result<Disk, StepError> {
    let pool = context.control.ceph().pool(&context.control.settings().vms_pool);
    let name = disk_name(owner.instance_id, role);
    let made = pool.create_image(&name, size_bytes, &owner.metadata(context)).await?;
    // The same whenever it is written again.
    let id = Uuid::new_v5(&owner.instance_id.as_uuid(), role.as_str().as_bytes());
    let pieces = match role {
        DiskRole::Ephemeral => fat::format(size_bytes, id),
        DiskRole::Swap => swap::format(size_bytes, id),
        DiskRole::Root | DiskRole::Config => Vec::new(),
    };
    if !pieces.is_empty() {
        let options = WriterOptions { fresh: FreshImage::Yes, ..WriterOptions::default() };
        let writer = pool.open_writer(ImageRef::id(made.id.clone()), options).await?;
        for Piece { offset, data } in pieces {
            writer.write_at(offset, Bytes::from(data)).await?;
        }
        writer.finish().await?;
    }
    Ok(owner.disk(context, role, made))
}

/// Moves all disks that an instance may have to the trash, by name: also those that a step made without
/// coming to know it.
pub(crate) async fn trash_by_name(context: &Context, instance: InstanceId) -> Result<(), StepError> {
    let control = &context.control;
    let pool = control.ceph().pool(&control.settings().vms_pool);
    let names = DiskRole::ALL.map(|role| disk_name(instance, role));
    try_join_all(names.iter().map(|name| pool.trash_move(name, control.settings().trash_delay()))).await?;
    Ok(())
}

/// Bytes to be written to a disk that holds nothing but zeroes.
struct Piece {
    offset: u64,
    data: Vec<u8>,
}

/// Puts `bytes` at `offset`.
fn put(sector: &mut [u8], offset: usize, bytes: &[u8]) {
    if let Some(place) = sector.get_mut(offset..offset + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

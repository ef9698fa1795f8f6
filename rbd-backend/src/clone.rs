//! Making a disk: a copy-on-write clone of a snapshot, grown to its size, naming its owner. One blocking call.
//!
//! Repeating it after a crash anywhere inside completes what is there; a disk of that name that belongs to someone else, or
//! comes from another snapshot, is refused and not touched.

use crate::error::{Effect, Error, Reason};
use crate::image::{self, ImageInfo, ImageRef};
use crate::owner::{self, Metadata};
use crate::pool::{Job, Pool};
use crate::sys::errno::Errno;
use crate::sys::image::{Access, Image};
use crate::sys::ioctx::IoCtx;
use crate::sys::options::ImageOptions;
use std::sync::Arc;

/// A disk to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClonePlan {
    pub parent_pool: String,
    pub parent_image: String,
    pub parent_snapshot: String,
    pub name: String,
    /// Grown to this if it is larger than the parent.
    pub size_bytes: u64,
    /// Names the owner.
    pub metadata: Metadata,
}

impl ClonePlan {
    fn parent(&self) -> String {
        format!("{}/{}@{}", self.parent_pool, self.parent_image, self.parent_snapshot)
    }
}

impl Pool {
    /// Makes the disk, or completes it, in this pool.
    pub async fn create_clone(&self, plan: ClonePlan) -> Result<ImageInfo, Error> {
        let attempt = self.attempt("clone image", Effect::Change, &plan.name);
        self.call(attempt, move |job| {
            image::check_name(&plan.name, job.attempt)?;
            let parent_pool: Arc<str> = plan.parent_pool.as_str().into();
            let parent = job.inner.context(&parent_pool, &job.attempt.of_pool(&parent_pool))?;
            let options = ImageOptions::for_clone().map_err(|errno| job.failed(errno))?;
            let cloned = job.context.clone_image(&parent, &plan.parent_image, &plan.parent_snapshot, &plan.name, &options);
            let existing = match cloned {
                Ok(()) => Existing::No,
                Err(Errno::EXISTS) => Existing::Yes,
                Err(errno) => return Err(explain(job, &plan, &parent, &parent_pool, errno)),
            };
            finish(job, plan, existing)
        })
        .await
    }
}

/// librbd says only a number, whichever of the two pools it is about.
fn explain(job: &Job<'_>, plan: &ClonePlan, parent: &IoCtx, parent_pool: &Arc<str>, errno: Errno) -> Error {
    if let Some(denied) = job.missing_right(parent, parent_pool, errno) {
        return denied;
    }
    match errno {
        Errno::NOT_PERMITTED | Errno::NO_SPACE | Errno::QUOTA => job.failed(errno),
        _ => job.attempt.error(Reason::Ceph { errno, status: format!("from {}", plan.parent()) }),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    No,
    Yes,
}

/// From a clone that is there to a disk that is whole: owner first, because an image without one is an orphan.
fn finish(job: &Job<'_>, plan: ClonePlan, existing: Existing) -> Result<ImageInfo, Error> {
    let open = job.open(&ImageRef::Name(plan.name.clone()), Access::ReadWrite)?;
    let present = owner::read(job, &open)?;
    let mut info = image::info_of(job, &open, plan.name.clone())?;
    if existing == Existing::Yes {
        check_ours(job, &plan, &info, &present)?;
    }
    owner::take_over(job, &info.id, &present, &plan.metadata)?;
    if plan.size_bytes > info.size_bytes {
        open.grow(plan.size_bytes).map_err(|errno| job.failed(errno))?;
        info.size_bytes = plan.size_bytes;
    }
    job.close(open)?;
    Ok(info)
}

fn check_ours(job: &Job<'_>, plan: &ClonePlan, info: &ImageInfo, present: &Metadata) -> Result<(), Error> {
    let from = info.parent.as_ref().map(|parent| format!("{}/{}@{}", parent.pool, parent.image, parent.snapshot));
    // A disk that was flattened since has no parent, and is ours if its owner is.
    if from.as_deref().is_some_and(|from| from != plan.parent()) {
        let why = format!("an image of that name is there as a clone of {}", from.unwrap_or_default());
        return Err(job.attempt.refused(why));
    }
    if from.is_none() && !plan.metadata.iter().all(|(key, value)| present.get(key) == Some(value)) {
        return Err(job.attempt.refused("an image of that name is there that is no clone and does not name this owner"));
    }
    let inherited = if from.is_some() { parents_metadata(job, plan)? } else { Metadata::new() };
    match owner::conflict(present, &inherited, &plan.metadata) {
        Some(conflict) => Err(job.attempt.refused(conflict)),
        None => Ok(()),
    }
}

fn parents_metadata(job: &Job<'_>, plan: &ClonePlan) -> Result<Metadata, Error> {
    let pool: Arc<str> = plan.parent_pool.as_str().into();
    let context = job.inner.context(&pool, job.attempt)?;
    let parent = Image::open(&context, &ImageRef::Name(plan.parent_image.clone()), Access::ReadOnly);
    owner::read(job, &parent.map_err(|errno| job.failed(errno))?)
}

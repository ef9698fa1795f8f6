//! Snapshots of images. Each change is safe to repeat.

use crate::error::{Effect, Error};
use crate::image::ImageRef;
use crate::pool::Pool;
use crate::sys::errno::Errno;
use crate::sys::image::{Access, Image};

/// A snapshot that a user made; librbd's own (of deleted parents, of groups) are not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub id: u64,
    pub name: String,
    pub size_bytes: u64,
    pub protection: Protection,
}

/// A protected snapshot cannot be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    Protected,
    Unprotected,
}

impl Pool {
    /// Takes a snapshot, with a guest running on the image or not. One of that name that is there is left as it is.
    pub async fn create_snapshot(&self, image: impl Into<ImageRef>, snapshot: &str) -> Result<(), Error> {
        self.change("create snapshot", image.into(), snapshot, |image, snapshot| match image.create_snapshot(snapshot) {
            Err(Errno::EXISTS) => Ok(()),
            other => other,
        })
        .await
    }

    pub async fn protect_snapshot(&self, image: impl Into<ImageRef>, snapshot: &str) -> Result<(), Error> {
        self.change("protect snapshot", image.into(), snapshot, |image, snapshot| {
            if image.is_snapshot_protected(snapshot)? { Ok(()) } else { image.protect_snapshot(snapshot) }
        })
        .await
    }

    /// Refused (busy) while clones of the first format depend on it.
    pub async fn unprotect_snapshot(&self, image: impl Into<ImageRef>, snapshot: &str) -> Result<(), Error> {
        self.change("unprotect snapshot", image.into(), snapshot, |image, snapshot| {
            if image.is_snapshot_protected(snapshot)? { image.unprotect_snapshot(snapshot) } else { Ok(()) }
        })
        .await
    }

    /// Removes a snapshot; one that is not there is no error. Refused (busy) while it is protected. Clones live on.
    pub async fn remove_snapshot(&self, image: impl Into<ImageRef>, snapshot: &str) -> Result<(), Error> {
        self.change("remove snapshot", image.into(), snapshot, |image, snapshot| match image.remove_snapshot(snapshot) {
            Err(Errno::NOT_FOUND) => Ok(()),
            other => other,
        })
        .await
    }

    /// None if there is no such image.
    pub async fn list_snapshots(&self, image: impl Into<ImageRef>) -> Result<Option<Vec<Snapshot>>, Error> {
        let image = image.into();
        self.call(self.attempt("list snapshots of image", Effect::Read, &image), move |job| {
            let Some(open) = job.find(&image, Access::ReadOnly)? else { return Ok(None) };
            let ceph = |errno| job.failed(errno);
            let listed = open.snapshots().map_err(ceph)?;
            let ours = listed.into_iter().filter(|snapshot| snapshot.made_by_user);
            ours.map(|snapshot| {
                let protected = open.is_snapshot_protected(&snapshot.name).map_err(ceph)?;
                let protection = if protected { Protection::Protected } else { Protection::Unprotected };
                Ok(Snapshot { id: snapshot.id, name: snapshot.name, size_bytes: snapshot.size_bytes, protection })
            })
            .collect::<Result<_, Error>>()
            .map(Some)
        })
        .await
    }

    async fn change<F>(&self, action: &'static str, image: ImageRef, snapshot: &str, work: F) -> Result<(), Error>
    where
        F: FnOnce(&Image, &str) -> Result<(), Errno> + Send + 'static,
    {
        let snapshot = snapshot.to_owned();
        let attempt = self.attempt(action, Effect::Change, format_args!("{image}@{snapshot}"));
        self.call(attempt, move |job| {
            if snapshot.is_empty() || snapshot.contains(['/', '@', '\0']) {
                return Err(job.attempt.refused("a snapshot's name is not empty and has no / or @"));
            }
            let open = job.open(&image, Access::ReadWrite)?;
            work(&open, &snapshot).map_err(|errno| job.failed(errno))?;
            job.close(open)
        })
        .await
    }
}

//! The trash: where every image goes before its data does, and from where it can come back.

use crate::error::{Attempt, Effect, Error};
use crate::image::ImageRef;
use crate::pool::{Job, Pool};
use crate::sys::errno::Errno;
use crate::sys::image::{Access, Image};
use crate::sys::trash::RawTrashEntry;
use std::time::{Duration, SystemTime};

/// An image in the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrashEntry {
    pub id: String,
    /// The name that it had.
    pub name: String,
    pub deleted_at: SystemTime,
    /// Before this it is not purged.
    pub deferment_end: SystemTime,
    pub source: TrashSource,
}

/// Who moved it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrashSource {
    User,
    Mirroring,
    Migration,
    /// A removal that was interrupted.
    Removing,
    /// By a user, and kept because clones of it live.
    UserParent,
    Other(u32),
}

/// Whether a purge waits for the deferment's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deferment {
    Respected,
    Ignored,
}

impl Pool {
    /// Moves an image to the trash, to be kept there for `delay` at least, and returns its id; none if it is not there.
    ///
    /// It does not look at watchers: an image that a guest still has open goes too, and that guest writes on.
    pub async fn trash_move(&self, name: &str, delay: Duration) -> Result<Option<String>, Error> {
        let name = name.to_owned();
        self.call(self.attempt("trash image", Effect::Change, &name), move |job| {
            let Some(id) = job.find_id(&name)? else { return Ok(None) };
            Ok(job.optional(job.context.move_to_trash(&name, delay.as_secs()))?.map(|()| id))
        })
        .await
    }

    /// As `trash_move`, of the image with this id, whatever its name is now; false if it is not there (or in the trash).
    pub async fn trash_move_by_id(&self, id: &str, delay: Duration) -> Result<bool, Error> {
        let image = ImageRef::id(id);
        self.call(self.attempt("trash image", Effect::Change, &image), move |job| {
            let ImageRef::Id(id) = &image else { return Ok(false) };
            let Some(open) = job.find(&image, Access::ReadOnly)? else { return Ok(false) };
            let name = open.name().map_err(|errno| job.failed(errno))?;
            drop(open);
            // In the trash it has no name any more, and another image may have taken it.
            if job.find_id(&name)?.as_ref() != Some(id) {
                return Ok(false);
            }
            Ok(job.optional(job.context.move_to_trash(&name, delay.as_secs()))?.is_some())
        })
        .await
    }

    pub async fn trash_list(&self) -> Result<Vec<TrashEntry>, Error> {
        self.call(self.attempt_all("list the trash", Effect::Read), |job| {
            let entries = job.context.list_trash().map_err(|errno| job.failed(errno))?;
            Ok(entries.into_iter().map(entry).collect())
        })
        .await
    }

    /// Brings an image back under this name. Repeating it is a success; a name that is taken is refused.
    pub async fn trash_restore(&self, id: &str, name: &str) -> Result<(), Error> {
        let (id, name) = (id.to_owned(), name.to_owned());
        let attempt = self.attempt("restore trashed image", Effect::Change, format_args!("{name} (id {id})"));
        self.call(attempt, move |job| {
            crate::image::check_name(&name, job.attempt)?;
            match job.context.restore_from_trash(&id, &name) {
                Err(Errno::NOT_FOUND) if job.find_id(&name)?.as_ref() == Some(&id) => Ok(()),
                Err(errno) => Err(job.failed(errno)),
                Ok(()) => Ok(()),
            }
        })
        .await
    }

    /// Deletes the data of an image in the trash; one that is not there is no error. Takes long for large images.
    ///
    /// Refused before the deferment's end unless that is ignored, and while somebody has the image open: who, it says.
    pub async fn trash_purge(&self, id: &str, deferment: Deferment) -> Result<(), Error> {
        let id = id.to_owned();
        let long = self.with_timeout(self.cluster.inner.limits.long_call_timeout);
        long.call(self.attempt("purge trashed image", Effect::Change, &id), move |job| {
            match job.context.remove_from_trash(&id, deferment == Deferment::Ignored) {
                Err(errno @ (Errno::NOT_PERMITTED | Errno::BUSY | Errno::NOT_EMPTY)) => Err(explain_purge(job, &id, errno)),
                other => job.optional(other).map(|_| ()),
            }
        })
        .await
    }
}

/// Finds out why librbd would not: it says no more than a number.
fn explain_purge(job: &Job<'_>, id: &str, errno: Errno) -> Error {
    let plain: &Attempt = job.attempt;
    match errno {
        Errno::NOT_PERMITTED => match job.context.trash_entry(id) {
            Ok(entry) if time(entry.deferment_end) > SystemTime::now() => {
                plain.refused(format!("it is kept until {} (seconds since 1970)", entry.deferment_end))
            }
            _ => job.failed(errno),
        },
        Errno::BUSY => {
            let open = Image::open(&job.context, &ImageRef::id(id), Access::ReadOnly);
            let watchers = open.and_then(|image| image.watchers()).unwrap_or_default();
            let named: Vec<_> =
                watchers.iter().map(|watcher| format!("client.{} at {}", watcher.client_id, watcher.address)).collect();
            if named.is_empty() { plain.ceph(errno) } else { plain.refused(format!("it is open by {}", named.join(", "))) }
        }
        Errno::NOT_EMPTY => plain.refused("it has snapshots, which clones may depend on"),
        _ => plain.ceph(errno),
    }
}

fn entry(raw: RawTrashEntry) -> TrashEntry {
    TrashEntry {
        id: raw.id,
        name: raw.name,
        deleted_at: time(raw.deleted_at),
        deferment_end: time(raw.deferment_end),
        source: match raw.source {
            0 => TrashSource::User,
            1 => TrashSource::Mirroring,
            2 => TrashSource::Migration,
            3 => TrashSource::Removing,
            4 => TrashSource::UserParent,
            other => TrashSource::Other(other),
        },
    }
}

fn time(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

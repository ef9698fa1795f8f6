//! Whose an RBD image is: what its metadata says, what its name suggests, and what the rows say to that.

use std::collections::{HashMap, HashSet};

use cuttle_model::disk::{image_name, owner};
use cuttle_model::ids::{ImageId, InstanceId};
use cuttle_model::image::{Image, ImageStatus};
use cuttle_model::instance::{Instance, InstanceState};
use cuttle_model::operation::Subject;
use cuttle_rbd_backend::{ImageFacts, ImageName};

use super::Look;

/// What the metadata names.
pub(super) fn named_by(facts: &ImageFacts) -> Option<Subject> {
    let value = |key: &str| facts.owner.get(key);
    let instance = value(owner::INSTANCE).and_then(|id| id.parse().ok()).map(Subject::Instance);
    instance.or_else(|| value(owner::IMAGE).and_then(|id| id.parse().ok()).map(Subject::Image))
}

/// What the name suggests: good for finding a row to ask, and for nothing else.
pub(super) fn suggested_by(name: &str) -> Option<Subject> {
    match name.split_once("_disk") {
        Some((id, _)) => id.parse().ok().map(Subject::Instance),
        None => name.parse().ok().map(Subject::Image),
    }
}

/// Rows by their ids, and which of them are being worked on.
#[derive(Default)]
pub(super) struct Rows {
    pub instances: HashMap<InstanceId, Instance>,
    pub images: HashMap<ImageId, Image>,
    at_work: HashSet<Subject>,
}

impl Rows {
    /// The rows of these subjects, as they are now.
    pub(super) async fn read(look: &Look<'_>, subjects: &HashSet<Subject>) -> cuttle_database::Result<Self> {
        let database = look.control.database();
        let instances: Vec<InstanceId> = subjects.iter().filter_map(|subject| instance(*subject)).collect();
        let images: Vec<ImageId> = subjects.iter().filter_map(|subject| image(*subject)).collect();
        let all: Vec<Subject> = subjects.iter().copied().collect();
        // First what is worked on: what begins after this has changed its row when that is read.
        let mut rows = Self::default();
        if !all.is_empty() {
            rows.at_work = database.at_work_on(&all).await?.into_iter().collect();
        }
        if !instances.is_empty() {
            rows.instances = database.instances_by_id(&instances).await?.into_iter().map(|row| (row.id, row)).collect();
        }
        if !images.is_empty() {
            rows.images = database.images_by_id(&images).await?.into_iter().map(|row| (row.id, row)).collect();
        }
        Ok(rows)
    }

    pub(super) fn is_busy(&self, subject: Subject) -> bool {
        let busy_row = match subject {
            Subject::Instance(id) => self.instances.get(&id).is_some_and(|row| row.task.is_some()),
            Subject::Image(id) => self.images.get(&id).is_some_and(|row| row.status == ImageStatus::Saving),
            Subject::Host(_) => false,
        };
        busy_row || self.at_work.contains(&subject)
    }
}

fn instance(subject: Subject) -> Option<InstanceId> {
    match subject {
        Subject::Instance(id) => Some(id),
        Subject::Image(_) | Subject::Host(_) => None,
    }
}

fn image(subject: Subject) -> Option<ImageId> {
    match subject {
        Subject::Image(id) => Some(id),
        Subject::Instance(_) | Subject::Host(_) => None,
    }
}

/// What the rows say to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A row has it, whatever its name is now.
    Owned,
    /// Somebody is at work: not to be judged now.
    Busy,
    /// Its owner does not have it, for this reason.
    Orphan { owner: Subject, why: String },
    /// Its owner has no row.
    Unknown { owner: Subject },
    /// It names no owner of ours.
    Foreign,
}

/// Judges an image that is in `pool`, of which `images_pool` is the one that images' data is in.
pub(super) fn judge(pool: &str, images_pool: &str, image: &ImageName, facts: &ImageFacts, rows: &Rows) -> Verdict {
    let owner = named_by(facts);
    let suggested = suggested_by(&image.name);
    for subject in [owner, suggested].into_iter().flatten() {
        if has(pool, images_pool, image, subject, rows) {
            return Verdict::Owned;
        }
        if rows.is_busy(subject) {
            return Verdict::Busy;
        }
    }
    match owner {
        None => Verdict::Foreign,
        Some(owner) => match why_not(owner, rows) {
            Some(why) => Verdict::Orphan { owner, why },
            None => Verdict::Unknown { owner },
        },
    }
}

/// Does this subject's row have the image?
fn has(pool: &str, images_pool: &str, image: &ImageName, subject: Subject, rows: &Rows) -> bool {
    match subject {
        Subject::Instance(id) => {
            let row = rows.instances.get(&id).filter(|row| row.state != InstanceState::Deleted);
            row.is_some_and(|row| row.disks().any(|disk| disk.pool == pool && disk.image_id == image.id))
        }
        // An image's row does not keep the RBD image's id: its data is what has its name.
        Subject::Image(id) => {
            let row = rows.images.get(&id);
            let has_data = row.is_some_and(|row| !matches!(row.status, ImageStatus::Queued | ImageStatus::Deleted));
            has_data && pool == images_pool && image.name == image_name(id)
        }
        Subject::Host(_) => false,
    }
}

/// Why an owner that has a row does not have the image; none if there is no row.
fn why_not(owner: Subject, rows: &Rows) -> Option<String> {
    Some(match owner {
        Subject::Instance(id) => match rows.instances.get(&id)? {
            row if row.state == InstanceState::Deleted => format!("instance {id} is deleted"),
            row => format!("instance {id} is {} and does not have it as a disk", row.state.name().as_str()),
        },
        Subject::Image(id) => format!("image {id} is {} and does not have it as its data", rows.images.get(&id)?.status.as_str()),
        Subject::Host(_) => return None,
    })
}

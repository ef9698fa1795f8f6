//! The metadata that names an image's owner, and what it takes to be the owner of an image that is already there.
//!
//! A clone starts with a copy of its parent's metadata, so a crash right after the cloning leaves an image that names its
//! parent's owner. What equals the parent's own entry therefore counts as not set.

use crate::error::Error;
use crate::pool::Job;
use crate::sys::image::Image;
use crate::sys::metadata::MetadataChange;
use std::collections::BTreeMap;

/// Keys and values kept with an image, such as `cuttle.instance`.
pub type Metadata = BTreeMap<String, String>;

/// Keys of this prefix are ours: a clone keeps none of its parent's.
pub(crate) const OURS: &str = "cuttle.";

pub(crate) fn read(job: &Job<'_>, image: &Image) -> Result<Metadata, Error> {
    Ok(image.metadata().map_err(|errno| job.failed(errno))?.into_iter().collect())
}

/// Sets `wanted` and takes out of `present` whatever else is ours.
pub(crate) fn take_over(job: &Job<'_>, image_id: &str, present: &Metadata, wanted: &Metadata) -> Result<(), Error> {
    job.context.change_metadata(image_id, &change(present, wanted)).map_err(|errno| job.failed(errno))
}

fn change<'a>(present: &'a Metadata, wanted: &'a Metadata) -> MetadataChange<'a> {
    MetadataChange {
        set: wanted
            .iter()
            .filter(|(key, value)| present.get(*key) != Some(value))
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect(),
        remove: present.keys().filter(|key| key.starts_with(OURS) && !wanted.contains_key(*key)).map(String::as_str).collect(),
    }
}

/// The first entry that names another owner than `wanted`, as text for a refusal.
pub(crate) fn conflict(present: &Metadata, inherited: &Metadata, wanted: &Metadata) -> Option<String> {
    let other = wanted.iter().find_map(|(key, value)| {
        let found = present.get(key)?;
        (found != value && inherited.get(key) != Some(found)).then_some((key, found, value))
    });
    other.map(|(key, found, value)| {
        format!("an image of that name has another owner: its metadata {key} is {found:?}, not {value:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(entries: &[(&str, &str)]) -> Metadata {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn another_owner_is_a_conflict_and_no_owner_is_none() {
        let wanted = metadata(&[("cuttle.instance", "a")]);
        assert!(conflict(&metadata(&[("cuttle.instance", "b")]), &Metadata::new(), &wanted).unwrap().contains("\"b\""));
        assert_eq!(conflict(&wanted, &Metadata::new(), &wanted), None);
        assert_eq!(conflict(&Metadata::new(), &Metadata::new(), &wanted), None);
    }

    #[test]
    fn what_came_from_the_parent_is_no_owner() {
        let (wanted, parent) = (metadata(&[("cuttle.project", "a")]), metadata(&[("cuttle.project", "b")]));
        assert_eq!(conflict(&parent, &parent, &wanted), None);
    }

    #[test]
    fn a_clone_keeps_none_of_our_entries_of_its_parent() {
        let present = metadata(&[("cuttle.image", "i"), ("cuttle.project", "p"), ("foreign", "f")]);
        let wanted = metadata(&[("cuttle.instance", "n"), ("cuttle.project", "p")]);
        let change = change(&present, &wanted);
        assert_eq!((change.set, change.remove), (vec![("cuttle.instance", "n")], vec!["cuttle.image"]));
    }
}

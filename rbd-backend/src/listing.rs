//! Looking at many images without opening any: pages of a pool's directory, and owners by image id.
//!
//! librbd's own list has no pages, and its metadata needs the image open. Both are omaps of librbd's objects, which are
//! read here as they are: `rbd_directory` (`id_<id>` → name) and `rbd_header.<id>`.
//!
//! What always holds: memory is bounded by what the caller asks for, whatever is in the pool.

use crate::error::{Effect, Error};
use crate::image::ImageName;
use crate::owner::{Metadata, OURS};
use crate::pool::{Job, Pool};
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DIRECTORY: &str = "rbd_directory";
const BY_ID: &str = "id_";
/// Keys of a header that are looked through. What is asked for comes before an image's snapshots, which are the many.
const HEADER_KEYS: usize = 256;
const METADATA: &str = "metadata_";
const CREATED: &str = "create_timestamp";

/// What an image says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// Its metadata, as far as it is ours.
    pub owner: Metadata,
    pub created_at: Option<SystemTime>,
}

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the pool, under this name.
    Named(String),
    Trash,
}

impl Pool {
    /// The images whose id comes after `after`, at the most `limit` of them, by id. Those in the trash are not among them.
    pub async fn list_images_page(&self, after: Option<&str>, limit: usize) -> Result<Vec<ImageName>, Error> {
        let after = after.map(|id| format!("{BY_ID}{id}")).unwrap_or_default();
        self.call(self.attempt_all("list images", Effect::Read), move |job| {
            let found = job.optional(job.context.omap_entries(DIRECTORY, &after, BY_ID, limit))?;
            Ok(found.unwrap_or_default().into_iter().filter_map(|(key, value)| entry(&key, &value)).collect())
        })
        .await
    }

    /// What these images say of themselves, in the trash or not, by id. Those that are not there are left out.
    pub async fn facts(&self, ids: &[String]) -> Result<HashMap<String, ImageFacts>, Error> {
        let ids = ids.to_vec();
        self.call(self.attempt_all("read owners of images", Effect::Read), move |job| {
            let mut facts = HashMap::with_capacity(ids.len());
            for id in ids {
                let keys = job.context.omap_entries(&format!("rbd_header.{id}"), "", "", HEADER_KEYS);
                if let Some(keys) = job.optional(keys)? {
                    facts.insert(id, facts_of(&keys));
                }
            }
            Ok(facts)
        })
        .await
    }

    /// Where these images are, by id. Those that are nowhere are left out.
    pub async fn places(&self, ids: &[String]) -> Result<HashMap<String, Place>, Error> {
        let ids = ids.to_vec();
        self.call(self.attempt_all("look for images", Effect::Read), move |job| {
            let mut places = HashMap::with_capacity(ids.len());
            for id in ids {
                if let Some(place) = place(job, &id)? {
                    places.insert(id, place);
                }
            }
            Ok(places)
        })
        .await
    }
}

fn place(job: &Job<'_>, id: &str) -> Result<Option<Place>, Error> {
    let key = format!("{BY_ID}{id}");
    // The first key with this prefix; another image's id may begin with this one.
    let found = job.optional(job.context.omap_entries(DIRECTORY, "", &key, 1))?.unwrap_or_default();
    if let Some(image) = found.iter().filter(|(found, _)| *found == key).find_map(|(key, value)| entry(key, value)) {
        return Ok(Some(Place::Named(image.name)));
    }
    Ok(job.optional(job.context.trash_entry(id))?.map(|_| Place::Trash))
}

fn entry(key: &str, value: &[u8]) -> Option<ImageName> {
    let id = key.strip_prefix(BY_ID)?.to_owned();
    Some(ImageName { id, name: crate::sys::ioctx::decode_string(value)? })
}

fn facts_of(keys: &[(String, Vec<u8>)]) -> ImageFacts {
    let mut facts = ImageFacts::default();
    for (key, value) in keys {
        if let Some(name) = key.strip_prefix(METADATA).filter(|name| name.starts_with(OURS)) {
            facts.owner.insert(name.to_owned(), String::from_utf8_lossy(value).into_owned());
        } else if key == CREATED {
            facts.created_at = time(value);
        }
    }
    facts
}

/// Ceph's encoding of a time: seconds since 1970 and nanoseconds, little-endian.
fn time(encoded: &[u8]) -> Option<SystemTime> {
    let (seconds, rest) = encoded.split_first_chunk::<4>()?;
    let (nanoseconds, _) = rest.split_first_chunk::<4>()?;
    let since = Duration::new(u32::from_le_bytes(*seconds).into(), u32::from_le_bytes(*nanoseconds).min(999_999_999));
    Some(UNIX_EPOCH + since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_entries_are_read_and_names_left_out() {
        let image = entry("id_10ab", b"\x06\0\0\0a_disk").unwrap();
        assert_eq!((image.id.as_str(), image.name.as_str()), ("10ab", "a_disk"));
        assert_eq!(entry("name_a_disk", b"\x04\0\0\x0010ab"), None);
        assert_eq!(entry("id_10ab", b"\x09\0\0\0cut"), None);
    }

    #[test]
    fn a_header_says_its_owner_and_age() {
        let keys = [
            ("create_timestamp".to_owned(), b"\x05\0\0\0\x01\0\0\0".to_vec()),
            ("metadata_cuttle.instance".to_owned(), b"one".to_vec()),
            ("metadata_other".to_owned(), b"two".to_vec()),
            ("size".to_owned(), vec![0; 8]),
        ];
        let facts = facts_of(&keys);
        assert_eq!(facts.owner, Metadata::from([("cuttle.instance".to_owned(), "one".to_owned())]));
        assert_eq!(facts.created_at, Some(UNIX_EPOCH + Duration::new(5, 1)));
        assert_eq!(time(b"short"), None);
    }
}

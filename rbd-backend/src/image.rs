//! Images: make, look at, grow, rename, list, and their metadata.

use crate::error::{Attempt, Effect, Error, Reason};
use crate::owner::{self, Metadata};
use crate::pool::{Job, Pool};
use crate::sys::errno::Errno;
use crate::sys::image::{Access, Image};
use crate::sys::metadata::MetadataChange;
use crate::sys::options::{DISK_FEATURES, ImageOptions};
use std::fmt;

pub use crate::sys::image::ImageRef;

/// What an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageInfo {
    pub id: String,
    pub name: String,
    pub size_bytes: u64,
    /// librbd's feature bits.
    pub features: u64,
    /// The snapshot that it is a clone of.
    pub parent: Option<ParentInfo>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentInfo {
    pub pool: String,
    pub image: String,
    pub image_id: String,
    pub snapshot: String,
}

/// An image as a pool lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageName {
    pub id: String,
    pub name: String,
}

impl ImageRef {
    pub fn id(id: impl Into<String>) -> ImageRef {
        ImageRef::Id(id.into())
    }
}

impl From<&str> for ImageRef {
    fn from(name: &str) -> ImageRef {
        ImageRef::Name(name.to_owned())
    }
}

impl From<String> for ImageRef {
    fn from(name: String) -> ImageRef {
        ImageRef::Name(name)
    }
}

impl From<&String> for ImageRef {
    fn from(name: &String) -> ImageRef {
        ImageRef::Name(name.clone())
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageRef::Name(name) => formatter.write_str(name),
            ImageRef::Id(id) => write!(formatter, "(id {id})"),
        }
    }
}

impl Pool {
    /// Makes an empty image with our features, owned as `metadata` says.
    ///
    /// One that is there with the same owner and size is completed and returned; with another, refused.
    pub async fn create_image(&self, name: &str, size_bytes: u64, metadata: &Metadata) -> Result<ImageInfo, Error> {
        let (name, metadata) = (name.to_owned(), metadata.clone());
        self.call(self.attempt("create image", Effect::Change, &name), move |job| {
            check_name(&name, job.attempt)?;
            let options = ImageOptions::for_image().map_err(|errno| job.failed(errno))?;
            match job.context.create_image(&name, size_bytes, &options) {
                Ok(()) => {
                    let id = job.context.image_id(&name).map_err(|errno| job.failed(errno))?;
                    owner::take_over(job, &id, &Metadata::new(), &metadata)?;
                    Ok(ImageInfo { id, name, size_bytes, features: DISK_FEATURES, parent: None })
                }
                Err(Errno::EXISTS) => complete(job, name, size_bytes, &metadata),
                Err(errno) => Err(job.failed(errno)),
            }
        })
        .await
    }

    /// None if there is no such image.
    pub async fn info(&self, image: impl Into<ImageRef>) -> Result<Option<ImageInfo>, Error> {
        let image = image.into();
        self.call(self.attempt("look at image", Effect::Read, &image), move |job| {
            let Some(open) = job.find(&image, Access::ReadOnly)? else { return Ok(None) };
            let name = match image {
                ImageRef::Name(name) => name,
                ImageRef::Id(_) => open.name().map_err(|errno| job.failed(errno))?,
            };
            info_of(job, &open, name).map(Some)
        })
        .await
    }

    /// As `info`, by id.
    pub async fn info_by_id(&self, id: &str) -> Result<Option<ImageInfo>, Error> {
        self.info(ImageRef::id(id)).await
    }

    /// All images with their ids, in no order, without opening any. Those in the trash are not among them.
    pub async fn list_images(&self) -> Result<Vec<ImageName>, Error> {
        self.call(self.attempt_all("list images", Effect::Read), |job| {
            let images = job.context.list_images().map_err(|errno| job.failed(errno))?;
            Ok(images.into_iter().map(|(id, name)| ImageName { id, name }).collect())
        })
        .await
    }

    /// Grows the image, with a guest running on it or not. Shrinking is refused; the size that it has is a success.
    pub async fn resize(&self, image: impl Into<ImageRef>, size_bytes: u64) -> Result<(), Error> {
        let image = image.into();
        self.call(self.attempt("resize image", Effect::Change, &image), move |job| {
            let open = job.open(&image, Access::ReadWrite)?;
            let present = open.size_bytes().map_err(|errno| job.failed(errno))?;
            if size_bytes < present {
                let why = format!("it has {present} bytes, and an image is never shrunk (to {size_bytes})");
                return Err(job.attempt.refused(why));
            }
            if size_bytes > present {
                open.grow(size_bytes).map_err(|errno| job.failed(errno))?;
            }
            job.close(open)
        })
        .await
    }

    /// Renames an image. Repeating it is a success; a name that another image has is refused.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        let (from, to) = (from.to_owned(), to.to_owned());
        let attempt = self.attempt("rename image", Effect::Change, format_args!("{from} to {to}"));
        self.call(attempt, move |job| {
            check_name(&to, job.attempt)?;
            // By name alone a repeated call could not be told from one whose source never was.
            match (job.find_id(&from)?, job.find_id(&to)?) {
                (None, Some(_)) => return Ok(()),
                (Some(source), Some(target)) if source != target => {
                    return Err(job.attempt.refused("another image has that name"));
                }
                _ => {}
            }
            job.context.rename_image(&from, &to).map_err(|errno| job.failed(errno))
        })
        .await
    }

    /// None if there is no such image.
    pub async fn metadata(&self, image: impl Into<ImageRef>) -> Result<Option<Metadata>, Error> {
        let image = image.into();
        self.call(self.attempt("read metadata of image", Effect::Read, &image), move |job| {
            let Some(open) = job.find(&image, Access::ReadOnly)? else { return Ok(None) };
            owner::read(job, &open).map(Some)
        })
        .await
    }

    /// Sets these entries, all at once, and leaves others alone. The image need not be closed, nor is it opened.
    pub async fn set_metadata(&self, image: impl Into<ImageRef>, metadata: &Metadata) -> Result<(), Error> {
        let (image, metadata) = (image.into(), metadata.clone());
        self.call(self.attempt("set metadata of image", Effect::Change, &image), move |job| {
            let id = id_of(job, image)?;
            let set = metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            let change = MetadataChange { set, remove: Vec::new() };
            job.context.change_metadata(&id, &change).map_err(|errno| job.failed(errno))
        })
        .await
    }

    /// Takes these entries out, all at once; those that are not there are no error.
    pub async fn remove_metadata(&self, image: impl Into<ImageRef>, keys: &[&str]) -> Result<(), Error> {
        let image = image.into();
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        self.call(self.attempt("remove metadata of image", Effect::Change, &image), move |job| {
            let id = id_of(job, image)?;
            let change = MetadataChange { set: Vec::new(), remove: keys.iter().map(String::as_str).collect() };
            job.context.change_metadata(&id, &change).map_err(|errno| job.failed(errno))
        })
        .await
    }
}

fn id_of(job: &Job<'_>, image: ImageRef) -> Result<String, Error> {
    match image {
        ImageRef::Id(id) => Ok(id),
        ImageRef::Name(name) => job.context.image_id(&name).map_err(|errno| job.failed(errno)),
    }
}

/// librbd takes names that its own tools cannot speak of.
pub(crate) fn check_name(name: &str, attempt: &Attempt) -> Result<(), Error> {
    if name.is_empty() || name.len() > 200 || name.contains(['/', '@', '\0']) {
        return Err(attempt.refused("an image's name has 1 to 200 bytes, none of them / or @"));
    }
    Ok(())
}

pub(crate) fn info_of(job: &Job<'_>, image: &Image, name: String) -> Result<ImageInfo, Error> {
    let ceph = |errno| job.failed(errno);
    let parent = image.parent().map_err(ceph)?.map(|parent| ParentInfo {
        pool: parent.pool,
        image: parent.image,
        image_id: parent.image_id,
        snapshot: parent.snapshot,
    });
    Ok(ImageInfo {
        id: image.id().map_err(ceph)?,
        name,
        size_bytes: image.size_bytes().map_err(ceph)?,
        features: image.features().map_err(ceph)?,
        parent,
    })
}

/// An empty image of that name is there already: ours, or left half made by us.
fn complete(job: &Job<'_>, name: String, size_bytes: u64, metadata: &Metadata) -> Result<ImageInfo, Error> {
    let open = job.open(&ImageRef::Name(name.clone()), Access::ReadOnly)?;
    let (info, present) = (info_of(job, &open, name)?, owner::read(job, &open)?);
    if let Some(conflict) = owner::conflict(&present, &Metadata::new(), metadata) {
        return Err(job.attempt.refused(conflict));
    }
    if info.parent.is_some() || info.size_bytes != size_bytes {
        let why = format!("an image of that name is there with {} bytes, not {size_bytes}, or is a clone", info.size_bytes);
        return Err(job.attempt.error(Reason::Refused(why)));
    }
    owner::take_over(job, &info.id, &present, metadata)?;
    Ok(info)
}

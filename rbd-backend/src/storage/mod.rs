//! What the control plane needs of a storage cluster, and nothing more.
//!
//! [`Cluster`](crate::Cluster) is the one that ships. The traits are narrow so that another one can pass the same tests:
//! operations are run through every crash on one that needs no Ceph.
//!
//! What always holds: no call blocks a thread of the runtime; changes are safe to repeat; a change whose outcome is not known
//! says so ([`Class::Unknown`](crate::Class::Unknown)); an image's data goes only through the trash.

mod ceph;

pub use ceph::ClusterAddress;

use crate::capacity::{PoolCapacity, PoolUse};
use crate::client::ClientCaps;
use crate::clone::ClonePlan;
use crate::cluster::Cluster;
use crate::error::Error;
use crate::image::{ImageInfo, ImageName, ImageRef};
use crate::listing::{ImageFacts, Place};
use crate::monitor::MonitorAddress;
use crate::owner::Metadata;
use crate::snapshot::Snapshot;
use crate::trash::{Deferment, TrashEntry};
use crate::watcher::Watcher;
use crate::writer::WriterOptions;
use async_trait::async_trait;
use bytes::Bytes;
use secrecy::SecretString;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A cluster, as one client of it sees it.
#[async_trait]
pub trait Storage: Send + Sync {
    fn fsid(&self) -> Uuid;

    /// The entity that this connection acts as.
    fn client_name(&self) -> &str;

    /// The Ceph cluster itself, for what its operators want to know of it and no operation needs: health, rights, users.
    fn cluster(&self) -> Option<&Cluster> {
        None
    }

    /// Calls, reads and writes that are under way in Ceph, also those that nobody waits for any more.
    fn in_flight(&self) -> usize;

    /// The same connection with another deadline for its calls.
    fn with_timeout(&self, timeout: Duration) -> Arc<dyn Storage>;

    /// A pool's handle. Nothing is asked of the cluster: a pool that does not exist shows at the first call.
    fn pool(&self, name: &str) -> Arc<dyn ImagePool>;

    /// Our own addresses as `ip:port/nonce`: what to fence so that this client can write no more.
    async fn addresses(&self) -> Result<Vec<String>, Error>;

    /// The monitors' current addresses, v2 before v1.
    async fn monitors(&self) -> Result<Vec<MonitorAddress>, Error>;

    async fn list_pools(&self) -> Result<Vec<String>, Error>;

    async fn create_pool(&self, name: &str, pool_use: PoolUse) -> Result<(), Error>;

    async fn pool_capacity(&self, pool: &str) -> Result<PoolCapacity, Error>;

    /// Makes the user or changes its rights to exactly `caps`, and returns its key.
    async fn ensure_client(&self, entity: &str, caps: &ClientCaps) -> Result<SecretString, Error>;

    /// Removes the user; one that is not there is no error. Sessions that it has go on until they are fenced.
    async fn remove_client(&self, entity: &str) -> Result<(), Error>;

    async fn client_exists(&self, entity: &str) -> Result<bool, Error>;

    /// Puts clients on the blocklist, by `ip:port/nonce`, for this long, and waits until the map that says so is ours: from
    /// then on whatever we touch refuses them. Safe to repeat.
    async fn fence(&self, addresses: &[String], expiry: Duration) -> Result<(), Error>;
}

/// How a connection is made: again under a new identity, after the one before was fenced.
#[async_trait]
pub trait Connect: Send + Sync {
    /// A new client of the cluster, with addresses that no earlier one had.
    async fn connect(&self) -> Result<Arc<dyn Storage>, Error>;
}

/// A pool of images.
#[async_trait]
pub trait ImagePool: Send + Sync {
    fn name(&self) -> &str;

    /// The same pool with another deadline for its calls.
    fn with_timeout(&self, timeout: Duration) -> Arc<dyn ImagePool>;

    /// Makes a disk as a clone of a snapshot, or completes it.
    async fn create_clone(&self, plan: ClonePlan) -> Result<ImageInfo, Error>;

    /// Makes an empty image, owned as `metadata` says; one that is there with the same owner and size is completed.
    async fn create_image(&self, name: &str, size_bytes: u64, metadata: &Metadata) -> Result<ImageInfo, Error>;

    /// None if there is no such image.
    async fn info(&self, image: ImageRef) -> Result<Option<ImageInfo>, Error>;

    /// As `info`, by id; works for images in the trash too.
    async fn info_by_id(&self, id: &str) -> Result<Option<ImageInfo>, Error> {
        self.info(ImageRef::id(id)).await
    }

    /// All images with their ids, in no order. Those in the trash are not among them.
    async fn list_images(&self) -> Result<Vec<ImageName>, Error>;

    /// The images whose id comes after `after`, at the most `limit` of them, by id.
    async fn list_images_page(&self, after: Option<&str>, limit: usize) -> Result<Vec<ImageName>, Error> {
        let mut images = self.list_images().await?;
        images.retain(|image| after.is_none_or(|after| image.id.as_str() > after));
        images.sort_by(|one, other| one.id.cmp(&other.id));
        images.truncate(limit);
        Ok(images)
    }

    /// What these images say of themselves, in the trash or not, by id. Those that are not there are left out.
    async fn facts(&self, ids: &[String]) -> Result<HashMap<String, ImageFacts>, Error> {
        let mut facts = HashMap::new();
        for id in ids {
            if let Some(owner) = self.metadata(ImageRef::id(id)).await? {
                facts.insert(id.clone(), ImageFacts { owner, created_at: None });
            }
        }
        Ok(facts)
    }

    /// Where these images are, by id. Those that are nowhere are left out.
    async fn places(&self, ids: &[String]) -> Result<HashMap<String, Place>, Error> {
        let trash = self.trash_list().await?.into_iter().map(|entry| (entry.id, Place::Trash));
        let pool = self.list_images().await?.into_iter().map(|image| (image.id, Place::Named(image.name)));
        Ok(trash.chain(pool).filter(|(id, _)| ids.contains(id)).collect())
    }

    /// Grows the image. Shrinking is refused; the size that it has is a success.
    async fn resize(&self, image: ImageRef, size_bytes: u64) -> Result<(), Error>;

    /// Renames an image. Repeating it is a success; a name that another image has is refused.
    async fn rename(&self, from: &str, to: &str) -> Result<(), Error>;

    /// None if there is no such image.
    async fn metadata(&self, image: ImageRef) -> Result<Option<Metadata>, Error>;

    async fn set_metadata(&self, image: ImageRef, metadata: &Metadata) -> Result<(), Error>;

    async fn remove_metadata(&self, image: ImageRef, keys: &[&str]) -> Result<(), Error>;

    async fn create_snapshot(&self, image: ImageRef, snapshot: &str) -> Result<(), Error>;

    async fn protect_snapshot(&self, image: ImageRef, snapshot: &str) -> Result<(), Error>;

    async fn unprotect_snapshot(&self, image: ImageRef, snapshot: &str) -> Result<(), Error>;

    async fn remove_snapshot(&self, image: ImageRef, snapshot: &str) -> Result<(), Error>;

    /// None if there is no such image.
    async fn list_snapshots(&self, image: ImageRef) -> Result<Option<Vec<Snapshot>>, Error>;

    /// Moves an image to the trash, to be kept there for `delay` at least, and returns its id; none if it is not there.
    async fn trash_move(&self, name: &str, delay: Duration) -> Result<Option<String>, Error>;

    /// As `trash_move`, of the image with this id, whatever its name is now; false if it is not there (or in the trash).
    async fn trash_move_by_id(&self, id: &str, delay: Duration) -> Result<bool, Error>;

    async fn trash_list(&self) -> Result<Vec<TrashEntry>, Error>;

    /// Brings an image back under this name. Repeating it is a success; a name that is taken is refused.
    async fn trash_restore(&self, id: &str, name: &str) -> Result<(), Error>;

    /// Deletes the data of an image in the trash; one that is not there is no error.
    async fn trash_purge(&self, id: &str, deferment: Deferment) -> Result<(), Error>;

    /// The image's watchers; none if there is no such image. Looking takes no watch.
    async fn watchers(&self, image: ImageRef) -> Result<Option<Vec<Watcher>>, Error>;

    /// As `watchers`, by id; works for images in the trash too.
    async fn watchers_by_id(&self, id: &str) -> Result<Option<Vec<Watcher>>, Error> {
        self.watchers(ImageRef::id(id)).await
    }

    /// Opens an image for writing. Fails with `Gone` if it is not there.
    async fn open_writer(&self, image: ImageRef, options: WriterOptions) -> Result<Box<dyn WriteImage>, Error>;

    /// None if there is no such image, or no such snapshot of it.
    async fn open_reader(&self, image: ImageRef, snapshot: Option<&str>) -> Result<Option<Box<dyn ReadImage>>, Error>;
}

/// An image open for writing. Dropping it without `finish` closes it and says nothing of what was written.
#[async_trait]
pub trait WriteImage: Send + Sync {
    fn size_bytes(&self) -> u64;

    /// Where the next `append` goes.
    fn position(&self) -> u64;

    /// Writes at the end of what was appended before; waits while too much is in flight.
    async fn append(&mut self, data: Bytes) -> Result<(), Error>;

    /// Starts writing `data` at `offset` and returns; waits while too much is in flight.
    async fn write_at(&self, offset: u64, data: Bytes) -> Result<(), Error>;

    /// Makes a range read as zeroes.
    async fn discard(&self, offset: u64, length_bytes: u64) -> Result<(), Error>;

    /// Makes the image this large, larger or smaller than it is.
    async fn set_size(&mut self, size_bytes: u64) -> Result<(), Error>;

    /// Waits for all writes, makes them durable, and closes the image. The first error of any of them is the answer.
    async fn finish(self: Box<Self>) -> Result<(), Error>;
}

/// An image, or a snapshot of it, open for reading.
#[async_trait]
pub trait ReadImage: Send + Sync {
    fn size_bytes(&self) -> u64;

    /// The bytes from `offset` on, `length` of them or as many as there are.
    async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, Error>;
}

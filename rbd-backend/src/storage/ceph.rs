//! The storage that ships: Ceph. Each call is the one of the same name of [`Cluster`], [`Pool`], [`ImageWriter`] and
//! [`ImageReader`]; their own files say more.

use super::{Connect, ImagePool, ReadImage, Storage, WriteImage};
use crate::capacity::{PoolCapacity, PoolUse};
use crate::client::ClientCaps;
use crate::clone::ClonePlan;
use crate::cluster::Cluster;
use crate::config::{ClusterConfig, Limits};
use crate::error::Error;
use crate::image::{ImageInfo, ImageName, ImageRef};
use crate::listing::{ImageFacts, Place};
use crate::monitor::MonitorAddress;
use crate::owner::Metadata;
use crate::pool::Pool;
use crate::reader::ImageReader;
use crate::snapshot::Snapshot;
use crate::trash::{Deferment, TrashEntry};
use crate::watcher::Watcher;
use crate::writer::{ImageWriter, WriterOptions};
use async_trait::async_trait;
use bytes::Bytes;
use secrecy::SecretString;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Which cluster to connect to, as whom.
#[derive(Clone, Debug)]
pub struct ClusterAddress {
    pub config: ClusterConfig,
    pub limits: Limits,
}

#[async_trait]
impl Connect for ClusterAddress {
    async fn connect(&self) -> Result<Arc<dyn Storage>, Error> {
        Ok(Arc::new(Cluster::connect(self.config.clone(), self.limits.clone()).await?))
    }
}

#[async_trait]
impl Storage for Cluster {
    fn fsid(&self) -> Uuid {
        self.fsid()
    }

    fn client_name(&self) -> &str {
        self.client_name()
    }

    fn cluster(&self) -> Option<&Cluster> {
        Some(self)
    }

    fn in_flight(&self) -> usize {
        let stats = self.stats();
        stats.busy + stats.stuck + stats.waiting + stats.aio_in_flight
    }

    fn with_timeout(&self, timeout: Duration) -> Arc<dyn Storage> {
        Arc::new(self.with_timeout(timeout))
    }

    fn pool(&self, name: &str) -> Arc<dyn ImagePool> {
        Arc::new(self.pool(name))
    }

    async fn addresses(&self) -> Result<Vec<String>, Error> {
        self.addresses().await
    }

    async fn monitors(&self) -> Result<Vec<MonitorAddress>, Error> {
        self.monitors().await
    }

    async fn list_pools(&self) -> Result<Vec<String>, Error> {
        self.list_pools().await
    }

    async fn create_pool(&self, name: &str, pool_use: PoolUse) -> Result<(), Error> {
        self.create_pool(name, pool_use).await
    }

    async fn pool_capacity(&self, pool: &str) -> Result<PoolCapacity, Error> {
        self.pool_capacity(pool).await
    }

    async fn ensure_client(&self, entity: &str, caps: &ClientCaps) -> Result<SecretString, Error> {
        self.ensure_client(entity, caps).await
    }

    async fn remove_client(&self, entity: &str) -> Result<(), Error> {
        self.remove_client(entity).await
    }

    async fn client_exists(&self, entity: &str) -> Result<bool, Error> {
        self.client_exists(entity).await
    }

    async fn fence(&self, addresses: &[String], expiry: Duration) -> Result<(), Error> {
        self.fence(addresses, expiry).await
    }
}

#[async_trait]
impl ImagePool for Pool {
    fn name(&self) -> &str {
        self.name()
    }

    fn with_timeout(&self, timeout: Duration) -> Arc<dyn ImagePool> {
        Arc::new(self.with_timeout(timeout))
    }

    async fn create_clone(&self, plan: ClonePlan) -> Result<ImageInfo, Error> {
        self.create_clone(plan).await
    }

    async fn create_image(&self, name: &str, size_bytes: u64, metadata: &Metadata) -> Result<ImageInfo, Error> {
        self.create_image(name, size_bytes, metadata).await
    }

    async fn info(&self, image: ImageRef) -> Result<Option<ImageInfo>, Error> {
        self.info(image).await
    }

    async fn list_images(&self) -> Result<Vec<ImageName>, Error> {
        self.list_images().await
    }

    async fn list_images_page(&self, after: Option<&str>, limit: usize) -> Result<Vec<ImageName>, Error> {
        self.list_images_page(after, limit).await
    }

    async fn facts(&self, ids: &[String]) -> Result<HashMap<String, ImageFacts>, Error> {
        self.facts(ids).await
    }

    async fn places(&self, ids: &[String]) -> Result<HashMap<String, Place>, Error> {
        self.places(ids).await
    }

    async fn resize(&self, image: ImageRef, size_bytes: u64) -> Result<(), Error> {
        self.resize(image, size_bytes).await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.rename(from, to).await
    }

    async fn metadata(&self, image: ImageRef) -> Result<Option<Metadata>, Error> {
        self.metadata(image).await
    }

    async fn set_metadata(&self, image: ImageRef, metadata: &Metadata) -> Result<(), Error> {
        self.set_metadata(image, metadata).await
    }

    async fn remove_metadata(&self, image: ImageRef, keys: &[&str]) -> Result<(), Error> {
        self.remove_metadata(image, keys).await
    }

    async fn create_snapshot(&self, image: ImageRef, snapshot: &str) -> Result<(), Error> {
        self.create_snapshot(image, snapshot).await
    }

    async fn protect_snapshot(&self, image: ImageRef, snapshot: &str) -> Result<(), Error> {
        self.protect_snapshot(image, snapshot).await
    }

    async fn unprotect_snapshot(&self, image: ImageRef, snapshot: &str) -> Result<(), Error> {
        self.unprotect_snapshot(image, snapshot).await
    }

    async fn remove_snapshot(&self, image: ImageRef, snapshot: &str) -> Result<(), Error> {
        self.remove_snapshot(image, snapshot).await
    }

    async fn list_snapshots(&self, image: ImageRef) -> Result<Option<Vec<Snapshot>>, Error> {
        self.list_snapshots(image).await
    }

    async fn trash_move(&self, name: &str, delay: Duration) -> Result<Option<String>, Error> {
        self.trash_move(name, delay).await
    }

    async fn trash_move_by_id(&self, id: &str, delay: Duration) -> Result<bool, Error> {
        self.trash_move_by_id(id, delay).await
    }

    async fn trash_list(&self) -> Result<Vec<TrashEntry>, Error> {
        self.trash_list().await
    }

    async fn trash_restore(&self, id: &str, name: &str) -> Result<(), Error> {
        self.trash_restore(id, name).await
    }

    async fn trash_purge(&self, id: &str, deferment: Deferment) -> Result<(), Error> {
        self.trash_purge(id, deferment).await
    }

    async fn watchers(&self, image: ImageRef) -> Result<Option<Vec<Watcher>>, Error> {
        self.watchers(image).await
    }

    async fn open_writer(&self, image: ImageRef, options: WriterOptions) -> Result<Box<dyn WriteImage>, Error> {
        Ok(Box::new(self.open_writer(image, options).await?))
    }

    async fn open_reader(&self, image: ImageRef, snapshot: Option<&str>) -> Result<Option<Box<dyn ReadImage>>, Error> {
        let reader = self.open_reader(image, snapshot).await?;
        Ok(reader.map(|reader| Box::new(reader) as Box<dyn ReadImage>))
    }
}

#[async_trait]
impl WriteImage for ImageWriter {
    fn size_bytes(&self) -> u64 {
        self.size_bytes()
    }

    fn position(&self) -> u64 {
        self.position()
    }

    async fn append(&mut self, data: Bytes) -> Result<(), Error> {
        self.append(data).await
    }

    async fn write_at(&self, offset: u64, data: Bytes) -> Result<(), Error> {
        self.write_at(offset, data).await
    }

    async fn discard(&self, offset: u64, length_bytes: u64) -> Result<(), Error> {
        self.discard(offset, length_bytes).await
    }

    async fn set_size(&mut self, size_bytes: u64) -> Result<(), Error> {
        self.set_size(size_bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<(), Error> {
        ImageWriter::finish(*self).await
    }
}

#[async_trait]
impl ReadImage for ImageReader {
    fn size_bytes(&self) -> u64 {
        self.size_bytes()
    }

    async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, Error> {
        self.read_at(offset, length).await
    }
}

//! Images that are open: writers have a watch, readers have none.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cuttle_rbd_backend::{Error, ReadImage, WriteImage};

use super::state::{Blocks, read};
use super::{Call, MemoryStorage};

pub(super) struct Writer {
    pub(super) storage: MemoryStorage,
    pub(super) pool: String,
    pub(super) id: String,
    pub(super) cookie: u64,
    pub(super) call: Call,
    pub(super) size_bytes: u64,
    pub(super) position: u64,
}

impl Writer {
    async fn change(&self, work: impl FnOnce(&mut super::state::ImageState) + Send) -> Result<(), Error> {
        self.storage
            .call(&self.call, |state| {
                let pool = state.pools.get_mut(&self.pool).ok_or_else(|| self.call.errno(libc::ENOENT))?;
                if pool.full {
                    return Err(self.call.errno(libc::ENOSPC));
                }
                work(pool.images.get_mut(&self.id).ok_or_else(|| self.call.errno(libc::ENOENT))?);
                Ok(())
            })
            .await
    }

    fn check_range(&self, offset: u64, length: u64) -> Result<(), Error> {
        match offset.checked_add(length).is_some_and(|end| end <= self.size_bytes) {
            true => Ok(()),
            false => {
                Err(self.call.refused(format!("{length} bytes at {offset} end beyond the image's {} bytes", self.size_bytes)))
            }
        }
    }
}

#[async_trait]
impl WriteImage for Writer {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn position(&self) -> u64 {
        self.position
    }

    async fn append(&mut self, data: Bytes) -> Result<(), Error> {
        self.write_at(self.position, data.clone()).await?;
        self.position += data.len() as u64;
        Ok(())
    }

    async fn write_at(&self, offset: u64, data: Bytes) -> Result<(), Error> {
        self.check_range(offset, data.len() as u64)?;
        self.change(|image| image.write(offset, &data)).await
    }

    async fn discard(&self, offset: u64, length_bytes: u64) -> Result<(), Error> {
        self.check_range(offset, length_bytes)?;
        self.change(|image| image.write(offset, &vec![0; usize::try_from(length_bytes).unwrap()])).await
    }

    async fn set_size(&mut self, size_bytes: u64) -> Result<(), Error> {
        self.change(|image| image.truncate(size_bytes)).await?;
        self.size_bytes = size_bytes;
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), Error> {
        self.storage.call(&self.call, |_| Ok(())).await
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut state = self.storage.cluster.lock();
        if let Some(image) = state.pools.get_mut(&self.pool).and_then(|pool| pool.images.get_mut(&self.id)) {
            image.watchers.remove(&self.cookie);
        }
    }
}

/// Which data a reader reads: a snapshot's as it was, or the image's as it is.
pub(super) enum Source {
    Snapshot(Arc<Blocks>),
    Image,
}

pub(super) struct Reader {
    pub(super) storage: MemoryStorage,
    pub(super) pool: String,
    pub(super) id: String,
    pub(super) call: Call,
    pub(super) size_bytes: u64,
    pub(super) source: Source,
}

#[async_trait]
impl ReadImage for Reader {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, Error> {
        let left = self.size_bytes.saturating_sub(offset);
        let length = usize::try_from(left).map_or(length, |left| length.min(left));
        self.storage
            .call(&self.call, |state| {
                let data = match &self.source {
                    Source::Snapshot(blocks) => read(blocks, offset, length),
                    Source::Image => {
                        let image = state.pools.get(&self.pool).and_then(|pool| pool.images.get(&self.id));
                        read(&image.ok_or_else(|| self.call.errno(libc::ENOENT))?.blocks, offset, length)
                    }
                };
                Ok(Bytes::from(data))
            })
            .await
    }
}

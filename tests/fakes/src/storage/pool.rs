//! A pool as one client sees it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use cuttle_rbd_backend::{
    ClonePlan, Deferment, Effect, Error, ImageInfo, ImageName, ImagePool, ImageRef, Metadata, Protection, ReadImage, Snapshot,
    TrashEntry, TrashSource, Watcher, WriteImage, WriterOptions,
};

use super::image::{self, check_name, find};
use super::open::{Reader, Source, Writer};
use super::state::{ImageState, PoolState, SnapshotState, State, WatcherState};
use super::{Call, MemoryStorage};

#[derive(Clone)]
pub(super) struct MemoryPool {
    pub(super) storage: MemoryStorage,
    pub(super) name: String,
}

impl MemoryPool {
    fn attempt(&self, action: &'static str, effect: Effect, object: impl std::fmt::Display) -> Call {
        Call { action, effect, pool: Some(self.name.clone()), object: Some(object.to_string()) }
    }

    /// A call on the pool.
    async fn on_pool<T>(&self, call: &Call, work: impl FnOnce(&mut PoolState) -> Result<T, Error> + Send) -> Result<T, Error> {
        self.storage.call(call, |state| work(image::pool(state, &self.name, call)?)).await
    }

    /// A call on an image that must be there.
    async fn on_image<T>(
        &self,
        call: &Call,
        image: &ImageRef,
        work: impl FnOnce(&mut ImageState) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        self.on_pool(call, |pool| {
            let id = find(pool, image).ok_or_else(|| call.errno(libc::ENOENT))?;
            work(pool.images.get_mut(&id).ok_or_else(|| call.errno(libc::ENOENT))?)
        })
        .await
    }

    /// A change of a snapshot that must be there.
    async fn on_snapshot(
        &self,
        action: &'static str,
        image: ImageRef,
        snapshot: &str,
        work: impl FnOnce(&mut SnapshotState) + Send,
    ) -> Result<(), Error> {
        let call = self.attempt(action, Effect::Change, format_args!("{image}@{snapshot}"));
        check_snapshot(snapshot, &call)?;
        self.on_image(&call, &image, |image| {
            let found = image.snapshots.iter_mut().find(|found| found.of_user && found.name == snapshot);
            work(found.ok_or_else(|| call.errno(libc::ENOENT))?);
            Ok(())
        })
        .await
    }
}

fn check_snapshot(snapshot: &str, call: &Call) -> Result<(), Error> {
    match snapshot.is_empty() || snapshot.contains(['/', '@', '\0']) {
        true => Err(call.refused("a snapshot's name is not empty and has no / or @")),
        false => Ok(()),
    }
}

fn to_trash(pool: &mut PoolState, name: &str, delay: Duration) -> Option<String> {
    let id = pool.names.remove(name)?;
    let deleted_at = SystemTime::now();
    let entry = TrashEntry {
        id: id.clone(),
        name: name.to_owned(),
        deleted_at,
        deferment_end: deleted_at + delay,
        source: TrashSource::User,
    };
    pool.trash.insert(id.clone(), entry);
    Some(id)
}

#[async_trait]
impl ImagePool for MemoryPool {
    fn name(&self) -> &str {
        &self.name
    }

    fn with_timeout(&self, _timeout: Duration) -> Arc<dyn ImagePool> {
        Arc::new(self.clone())
    }

    async fn create_clone(&self, plan: ClonePlan) -> Result<ImageInfo, Error> {
        let call = self.attempt("clone image", Effect::Change, &plan.name);
        self.storage.call(&call, |state| image::clone(state, &self.name, &plan, &call)).await
    }

    async fn create_image(&self, name: &str, size_bytes: u64, metadata: &Metadata) -> Result<ImageInfo, Error> {
        let call = self.attempt("create image", Effect::Change, name);
        self.storage.call(&call, |state| image::create(state, &self.name, name, size_bytes, metadata, &call)).await
    }

    async fn info(&self, image: ImageRef) -> Result<Option<ImageInfo>, Error> {
        let call = self.attempt("look at image", Effect::Read, &image);
        self.on_pool(&call, |pool| Ok(find(pool, &image).map(|id| image::info(pool, &id)))).await
    }

    async fn list_images(&self) -> Result<Vec<ImageName>, Error> {
        let call = Call { object: None, ..self.attempt("list images", Effect::Read, "") };
        let named = |(name, id): (&String, &String)| ImageName { id: id.clone(), name: name.clone() };
        self.on_pool(&call, |pool| Ok(pool.names.iter().map(named).collect())).await
    }

    async fn resize(&self, image: ImageRef, size_bytes: u64) -> Result<(), Error> {
        let call = self.attempt("resize image", Effect::Change, &image);
        self.on_image(&call, &image, |image| {
            let present = image.size_bytes;
            if size_bytes < present {
                return Err(call.refused(format!("it has {present} bytes, and an image is never shrunk (to {size_bytes})")));
            }
            image.size_bytes = size_bytes;
            Ok(())
        })
        .await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        let call = self.attempt("rename image", Effect::Change, format_args!("{from} to {to}"));
        check_name(to, &call)?;
        self.on_pool(&call, |pool| match (pool.names.get(from).cloned(), pool.names.get(to).cloned()) {
            (None, Some(_)) => Ok(()),
            (None, None) => Err(call.errno(libc::ENOENT)),
            (Some(source), Some(target)) if source != target => Err(call.refused("another image has that name")),
            (Some(source), _) => {
                pool.names.remove(from);
                pool.names.insert(to.to_owned(), source);
                Ok(())
            }
        })
        .await
    }

    async fn metadata(&self, image: ImageRef) -> Result<Option<Metadata>, Error> {
        let call = self.attempt("read metadata of image", Effect::Read, &image);
        self.on_pool(&call, |pool| Ok(find(pool, &image).map(|id| pool.images[&id].metadata.clone()))).await
    }

    async fn set_metadata(&self, image: ImageRef, metadata: &Metadata) -> Result<(), Error> {
        let call = self.attempt("set metadata of image", Effect::Change, &image);
        self.on_image(&call, &image, |image| {
            image.metadata.extend(metadata.clone());
            Ok(())
        })
        .await
    }

    async fn remove_metadata(&self, image: ImageRef, keys: &[&str]) -> Result<(), Error> {
        let call = self.attempt("remove metadata of image", Effect::Change, &image);
        self.on_image(&call, &image, |image| {
            image.metadata.retain(|key, _| !keys.contains(&key.as_str()));
            Ok(())
        })
        .await
    }

    async fn create_snapshot(&self, image: ImageRef, snapshot: &str) -> Result<(), Error> {
        let call = self.attempt("create snapshot", Effect::Change, format_args!("{image}@{snapshot}"));
        check_snapshot(snapshot, &call)?;
        self.storage
            .call(&call, |state: &mut State| {
                let id = state.number();
                let pool = image::pool(state, &self.name, &call)?;
                let image = find(pool, &image).ok_or_else(|| call.errno(libc::ENOENT))?;
                let image = pool.images.get_mut(&image).ok_or_else(|| call.errno(libc::ENOENT))?;
                if image.snapshot(snapshot).is_none() {
                    let (size_bytes, blocks) = (image.size_bytes, image.blocks.clone());
                    let name = snapshot.to_owned();
                    image.snapshots.push(SnapshotState { id, name, size_bytes, protected: false, of_user: true, blocks });
                }
                Ok(())
            })
            .await
    }

    async fn protect_snapshot(&self, image: ImageRef, snapshot: &str) -> Result<(), Error> {
        self.on_snapshot("protect snapshot", image, snapshot, |snapshot| snapshot.protected = true).await
    }

    async fn unprotect_snapshot(&self, image: ImageRef, snapshot: &str) -> Result<(), Error> {
        self.on_snapshot("unprotect snapshot", image, snapshot, |snapshot| snapshot.protected = false).await
    }

    async fn remove_snapshot(&self, image: ImageRef, snapshot: &str) -> Result<(), Error> {
        let call = self.attempt("remove snapshot", Effect::Change, format_args!("{image}@{snapshot}"));
        check_snapshot(snapshot, &call)?;
        self.storage
            .call(&call, |state: &mut State| {
                let pool = image::pool(state, &self.name, &call)?;
                let id = find(pool, &image).ok_or_else(|| call.errno(libc::ENOENT))?;
                let Some(found) = pool.images[&id].snapshot(snapshot) else { return Ok(()) };
                let (number, protected) = (found.id, found.protected);
                if protected {
                    return Err(call.errno(libc::EBUSY));
                }
                let kept = state.has_clones(&id, number);
                let pool = image::pool(state, &self.name, &call)?;
                let snapshots = &mut pool.images.get_mut(&id).ok_or_else(|| call.errno(libc::ENOENT))?.snapshots;
                snapshots.iter_mut().filter(|found| found.id == number).for_each(|found| found.of_user = false);
                snapshots.retain(|found| found.id != number || kept);
                Ok(())
            })
            .await
    }

    async fn list_snapshots(&self, image: ImageRef) -> Result<Option<Vec<Snapshot>>, Error> {
        let call = self.attempt("list snapshots of image", Effect::Read, &image);
        let shown = |snapshot: &SnapshotState| Snapshot {
            id: snapshot.id,
            name: snapshot.name.clone(),
            size_bytes: snapshot.size_bytes,
            protection: if snapshot.protected { Protection::Protected } else { Protection::Unprotected },
        };
        self.on_pool(&call, |pool| {
            let Some(id) = find(pool, &image) else { return Ok(None) };
            Ok(Some(pool.images[&id].snapshots.iter().filter(|snapshot| snapshot.of_user).map(shown).collect()))
        })
        .await
    }

    async fn trash_move(&self, name: &str, delay: Duration) -> Result<Option<String>, Error> {
        let call = self.attempt("trash image", Effect::Change, name);
        self.on_pool(&call, |pool| Ok(to_trash(pool, name, delay))).await
    }

    async fn trash_move_by_id(&self, id: &str, delay: Duration) -> Result<bool, Error> {
        let call = self.attempt("trash image", Effect::Change, ImageRef::id(id));
        self.on_pool(&call, |pool| {
            let name = pool.names.iter().find(|(_, of)| *of == id).map(|(name, _)| name.clone());
            Ok(name.and_then(|name| to_trash(pool, &name, delay)).is_some())
        })
        .await
    }

    async fn trash_list(&self) -> Result<Vec<TrashEntry>, Error> {
        let call = Call { object: None, ..self.attempt("list the trash", Effect::Read, "") };
        self.on_pool(&call, |pool| Ok(pool.trash.values().cloned().collect())).await
    }

    async fn trash_restore(&self, id: &str, name: &str) -> Result<(), Error> {
        let call = self.attempt("restore trashed image", Effect::Change, format_args!("{name} (id {id})"));
        check_name(name, &call)?;
        self.on_pool(&call, |pool| match (pool.trash.contains_key(id), pool.names.get(name)) {
            (false, Some(holder)) if holder == id => Ok(()),
            (false, _) => Err(call.errno(libc::ENOENT)),
            (true, Some(_)) => Err(call.errno(libc::EEXIST)),
            (true, None) => {
                pool.trash.remove(id);
                pool.names.insert(name.to_owned(), id.to_owned());
                Ok(())
            }
        })
        .await
    }

    async fn trash_purge(&self, id: &str, deferment: Deferment) -> Result<(), Error> {
        let call = self.attempt("purge trashed image", Effect::Change, id);
        self.on_pool(&call, |pool| {
            let Some(entry) = pool.trash.get(id) else { return Ok(()) };
            if deferment == Deferment::Respected && entry.deferment_end > SystemTime::now() {
                return Err(call.refused("it is kept until its time is over"));
            }
            let image = &pool.images[id];
            if let Some(watcher) = image.watchers.values().next() {
                return Err(call.refused(format!("it is open by client.{} at {}", watcher.client_id, watcher.address)));
            }
            if !image.snapshots.is_empty() {
                return Err(call.refused("it has snapshots, which clones may depend on"));
            }
            pool.trash.remove(id);
            pool.images.remove(id);
            Ok(())
        })
        .await
    }

    async fn watchers(&self, image: ImageRef) -> Result<Option<Vec<Watcher>>, Error> {
        let call = self.attempt("list watchers of image", Effect::Read, &image);
        let shown = |(cookie, watcher): (&u64, &WatcherState)| Watcher {
            address: watcher.address.clone(),
            client_id: watcher.client_id,
            cookie: *cookie,
            own: watcher.client_id == self.storage.id,
        };
        self.on_pool(&call, |pool| Ok(find(pool, &image).map(|id| pool.images[&id].watchers.iter().map(shown).collect()))).await
    }

    async fn open_writer(&self, image: ImageRef, _options: WriterOptions) -> Result<Box<dyn WriteImage>, Error> {
        let call = self.attempt("write image", Effect::Change, &image);
        let opened = self.storage.call(&call, |state: &mut State| {
            let cookie = state.number();
            let pool = image::pool(state, &self.name, &call)?;
            let id = find(pool, &image).ok_or_else(|| call.errno(libc::ENOENT))?;
            let image = pool.images.get_mut(&id).ok_or_else(|| call.errno(libc::ENOENT))?;
            let watcher = WatcherState { address: self.storage.address.clone(), client_id: self.storage.id };
            image.watchers.insert(cookie, watcher);
            let (storage, pool, call) = (self.storage.clone(), self.name.clone(), call.clone());
            Ok(Writer { storage, pool, id, cookie, call, size_bytes: image.size_bytes, position: 0 })
        });
        Ok(Box::new(opened.await?))
    }

    async fn open_reader(&self, image: ImageRef, snapshot: Option<&str>) -> Result<Option<Box<dyn ReadImage>>, Error> {
        let call = self.attempt("read image", Effect::Read, &image);
        let opened = self.on_pool(&call, |pool| {
            let Some(id) = find(pool, &image) else { return Ok(None) };
            let found = &pool.images[&id];
            let (size_bytes, source) = match snapshot.map(|name| found.snapshot(name)) {
                None => (found.size_bytes, Source::Image),
                Some(Some(snapshot)) => (snapshot.size_bytes, Source::Snapshot(Arc::new(snapshot.blocks.clone()))),
                Some(None) => return Ok(None),
            };
            let (storage, pool) = (self.storage.clone(), self.name.clone());
            Ok(Some(Reader { storage, pool, id, call: call.clone(), size_bytes, source }))
        });
        Ok(opened.await?.map(|reader| Box::new(reader) as Box<dyn ReadImage>))
    }
}

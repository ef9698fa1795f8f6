//! One pool's handle, and how its calls are made.

use crate::call::{self, Deadline};
use crate::cluster::{Cluster, Inner};
use crate::error::{Attempt, Effect, Error, Reason};
use crate::image::ImageRef;
use crate::rights;
use crate::sys::errno::Errno;
use crate::sys::image::{Access, Image};
use crate::sys::ioctx::IoCtx;
use crate::turns::Turn;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A pool of images. Cheap to clone; its context is made once per connection.
#[derive(Clone)]
pub struct Pool {
    pub(crate) cluster: Cluster,
    pub(crate) name: Arc<str>,
}

/// What a blocking call on a pool has at hand.
pub(crate) struct Job<'a> {
    pub(crate) inner: &'a Arc<Inner>,
    pub(crate) context: Arc<IoCtx>,
    pub(crate) attempt: &'a Attempt,
    pool: &'a Arc<str>,
}

impl Pool {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The same pool with another deadline for its calls.
    pub fn with_timeout(&self, timeout: Duration) -> Pool {
        Pool { cluster: self.cluster.with_timeout(timeout), name: Arc::clone(&self.name) }
    }

    pub(crate) fn attempt(&self, action: &'static str, effect: Effect, object: impl fmt::Display) -> Attempt {
        Attempt { action, effect, pool: Some(Arc::clone(&self.name)), object: Some(object.to_string()) }
    }

    pub(crate) fn attempt_all(&self, action: &'static str, effect: Effect) -> Attempt {
        Attempt { action, effect, pool: Some(Arc::clone(&self.name)), object: None }
    }

    pub(crate) async fn call<T, F>(&self, attempt: Attempt, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Job<'_>) -> Result<T, Error> + Send + 'static,
    {
        let (inner, pool) = (Arc::clone(&self.cluster.inner), Arc::clone(&self.name));
        // The wait for the turn is a part of the caller's time.
        let deadline = Deadline::from(self.cluster.timeout);
        let turn = self.turn(&attempt).await?;
        call::run(&self.cluster.inner.workers, &attempt, deadline, move |attempt| {
            // Until the call has come back, whether or not somebody still waits for it.
            let _turn = turn;
            let context = inner.context(&pool, attempt)?;
            work(&Job { inner: &inner, context, attempt, pool: &pool })
        })
        .await
    }

    /// The turn of what the attempt changes; nothing where it changes nothing, or no single object.
    async fn turn(&self, attempt: &Attempt) -> Result<Option<Turn>, Error> {
        let (Effect::Change, Some(object)) = (attempt.effect, &attempt.object) else { return Ok(None) };
        let turn = self.cluster.inner.turns.take(Arc::clone(&self.name), object.clone());
        let after = self.cluster.timeout;
        let taken = tokio::time::timeout(after, turn).await;
        taken.map(Some).map_err(|_| attempt.error(Reason::Behind { after }))
    }
}

impl Job<'_> {
    pub(crate) fn failed(&self, errno: Errno) -> Error {
        if self.pool_is_gone(errno) {
            return self.attempt.error(Reason::NoPool);
        }
        match self.missing_right(&self.context, self.pool, errno) {
            Some(error) => error,
            None => self.attempt.ceph(errno),
        }
    }

    /// What "not permitted" is about, found out by asking for less: OSDs say no more than that.
    pub(crate) fn missing_right(&self, context: &IoCtx, pool: &Arc<str>, errno: Errno) -> Option<Error> {
        if errno != Errno::NOT_PERMITTED {
            return None;
        }
        let right = rights::missing_in(context, self.inner.client_name(), pool).ok()?.into_iter().next()?;
        Some(self.attempt.error(Reason::Denied { right: Box::new(right), errno }))
    }

    /// "Not found" also comes when the pool itself was deleted. By then the OSD map in memory knows it.
    fn pool_is_gone(&self, errno: Errno) -> bool {
        errno == Errno::NOT_FOUND && self.inner.connection().pool_id(self.pool) != Ok(self.context.pool_id())
    }

    /// None for what is not there, in a pool that is.
    pub(crate) fn optional<T>(&self, found: Result<T, Errno>) -> Result<Option<T>, Error> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOT_FOUND) if !self.pool_is_gone(Errno::NOT_FOUND) => Ok(None),
            Err(errno) => Err(self.failed(errno)),
        }
    }

    pub(crate) fn open(&self, image: &ImageRef, access: Access) -> Result<Image, Error> {
        Image::open(&self.context, image, access).map_err(|errno| self.failed(errno))
    }

    /// As `open`, where an image that is not there is an answer.
    pub(crate) fn find(&self, image: &ImageRef, access: Access) -> Result<Option<Image>, Error> {
        self.optional(Image::open(&self.context, image, access))
    }

    /// The id of the image of that name, none if there is no such image.
    pub(crate) fn find_id(&self, name: &str) -> Result<Option<String>, Error> {
        self.optional(self.context.image_id(name))
    }

    /// Closes an image that was changed, so that its lock is free before the call returns.
    pub(crate) fn close(&self, image: Image) -> Result<(), Error> {
        image.close().map_err(|errno| self.failed(errno))
    }
}

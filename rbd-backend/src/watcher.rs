//! Who has an image open for writing: the clients to record before a guest may run, and to fence when it must not.

use crate::error::{Effect, Error};
use crate::image::ImageRef;
use crate::pool::Pool;
use crate::sys::image::Access;

/// One client's watch on an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watcher {
    /// `ip:port/nonce`, as the blocklist wants it.
    pub address: String,
    /// The client's number in the cluster (`client.<n>`).
    pub client_id: u64,
    pub cookie: u64,
    /// It is this very connection.
    pub own: bool,
}

impl Pool {
    /// The image's watchers; none if there is no such image. Looking takes no watch.
    ///
    /// A client that died without closing stays listed until its watch times out (30 s by default).
    pub async fn watchers(&self, image: impl Into<ImageRef>) -> Result<Option<Vec<Watcher>>, Error> {
        let image = image.into();
        self.call(self.attempt("list watchers of image", Effect::Read, &image), move |job| {
            let Some(open) = job.find(&image, Access::ReadOnly)? else { return Ok(None) };
            let own_id = job.inner.connection().instance_id();
            let watchers = open.watchers().map_err(|errno| job.failed(errno))?;
            let named = watchers.into_iter().map(|watcher| Watcher {
                own: watcher.client_id == own_id,
                address: watcher.address,
                client_id: watcher.client_id,
                cookie: watcher.cookie,
            });
            Ok(Some(named.collect()))
        })
        .await
    }

    /// As `watchers`, by id; works for images in the trash too.
    pub async fn watchers_by_id(&self, id: &str) -> Result<Option<Vec<Watcher>>, Error> {
        self.watchers(ImageRef::id(id)).await
    }
}

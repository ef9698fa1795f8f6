//! The connection to a cluster: one per process, shared by clones of [`Cluster`].
//!
//! What always holds: nothing here blocks a thread of the runtime; every call ends by its deadline.

use crate::call;
use crate::config::{ClusterConfig, KeySource, Limits};
use crate::error::{Attempt, Effect, Error, Reason};
use crate::monitor::MonitorAddress;
use crate::pool::Pool;
use crate::sys::connection::Connection;
use crate::sys::errno::Errno;
use crate::sys::ioctx::IoCtx;
use crate::turns::Turns;
use crate::workers::{Stats, Workers};
use secrecy::ExposeSecret;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use uuid::Uuid;

/// A connected cluster. Clones share the connection; each has its own deadline for calls.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) inner: Arc<Inner>,
    pub(crate) timeout: Duration,
}

pub(crate) struct Inner {
    connection: Arc<Connection>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) turns: Turns,
    pub(crate) limits: Limits,
    /// Reads and writes in flight over all images.
    pub(crate) aio: Arc<Semaphore>,
    fsid: Uuid,
    client_name: String,
    /// Contexts by pool, made on first use.
    contexts: Mutex<HashMap<Arc<str>, Arc<IoCtx>>>,
    /// Ends when the connection has been shut down.
    closed: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Cluster {
    /// Connects. Until this succeeds nothing is kept.
    pub async fn connect(config: ClusterConfig, limits: Limits) -> Result<Cluster, Error> {
        let workers = Arc::new(Workers::new(&limits));
        let attempt = Attempt { object: Some(config.client_name.clone()), ..attempt("connect to Ceph as", Effect::Read) };
        let (on_closed, closed) = oneshot::channel();
        let client_name = config.client_name.clone();
        let options = limits.clone();
        let (connection, fsid) = call::run(&workers, &attempt, limits.call_timeout, move |attempt| {
            let connection = Connection::create(&config.client_name, on_closed).map_err(|errno| attempt.ceph(errno))?;
            configure(&connection, &config, &options, attempt)?;
            connection.connect().map_err(|errno| explain_connect(errno, attempt))?;
            let fsid = connection.fsid().map_err(|errno| attempt.ceph(errno))?;
            let fsid = fsid.parse().map_err(|_| attempt.broken(format!("the cluster's fsid {fsid:?} is no UUID")))?;
            Ok((connection, fsid))
        })
        .await?;
        let timeout = limits.call_timeout;
        let inner = Inner {
            connection: Arc::new(connection),
            workers,
            turns: Turns::default(),
            aio: Arc::new(Semaphore::new(limits.aio_in_flight.max(1))),
            limits,
            fsid,
            client_name,
            contexts: Mutex::default(),
            closed: Mutex::new(Some(closed)),
        };
        Ok(Cluster { inner: Arc::new(inner), timeout })
    }

    /// The same connection with another deadline for its calls.
    pub fn with_timeout(&self, timeout: Duration) -> Cluster {
        Cluster { timeout, ..self.clone() }
    }

    pub fn fsid(&self) -> Uuid {
        self.inner.fsid
    }

    /// The entity that this connection acts as.
    pub fn client_name(&self) -> &str {
        &self.inner.client_name
    }

    /// Our own number among the cluster's clients, as watchers carry it.
    pub fn client_id(&self) -> u64 {
        self.inner.connection.instance_id()
    }

    pub fn stats(&self) -> Stats {
        let in_flight = self.inner.limits.aio_in_flight.max(1) - self.inner.aio.available_permits();
        Stats { aio_in_flight: in_flight, ..self.inner.workers.stats() }
    }

    /// Our own addresses as `ip:port/nonce`: what to blocklist so that this process can write no more.
    pub async fn addresses(&self) -> Result<Vec<String>, Error> {
        let attempt = attempt("read our own addresses", Effect::Read);
        self.call(attempt, |inner, attempt| {
            let addresses = inner.connection.addresses().map_err(|errno| attempt.ceph(errno))?;
            Ok(crate::monitor::split_addresses(&addresses))
        })
        .await
    }

    /// The monitors' current addresses, v2 before v1.
    pub async fn monitors(&self) -> Result<Vec<MonitorAddress>, Error> {
        let attempt = attempt("list monitors", Effect::Read);
        self.call(attempt, |inner, attempt| crate::monitor::list(inner, attempt)).await
    }

    pub async fn list_pools(&self) -> Result<Vec<String>, Error> {
        self.call(attempt("list pools", Effect::Read), |inner, attempt| {
            inner.connection.list_pools().map_err(|errno| attempt.ceph(errno))
        })
        .await
    }

    /// A pool's handle. Nothing is asked of the cluster: a pool that does not exist shows at the first call.
    pub fn pool(&self, name: &str) -> Pool {
        Pool { cluster: self.clone(), name: name.into() }
    }

    /// Lets go of the connection and waits until it is shut down, if this was the last handle to it.
    ///
    /// Without this it is shut down in the background when the last handle is dropped.
    pub async fn shutdown(self) -> Result<(), Error> {
        let attempt = attempt("shut the connection to Ceph down", Effect::Read);
        let timeout = self.timeout;
        let closed = self.inner.closed.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(self);
        let Some(closed) = closed else { return Ok(()) };
        match tokio::time::timeout(timeout, closed).await {
            Ok(_) => Ok(()),
            Err(_) => Err(attempt.error(Reason::Deadline { after: timeout })),
        }
    }

    pub(crate) async fn call<T, F>(&self, attempt: Attempt, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Arc<Inner>, &Attempt) -> Result<T, Error> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        call::run(&self.inner.workers, &attempt, self.timeout, move |attempt| work(&inner, attempt)).await
    }
}

impl Inner {
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(crate) fn client_name(&self) -> &str {
        &self.client_name
    }

    /// The context of a pool. Blocks only where the name is unknown to the OSD map in memory.
    ///
    /// A pool that was deleted and made again has another id, so the cached context is checked against the map.
    pub(crate) fn context(&self, pool: &Arc<str>, attempt: &Attempt) -> Result<Arc<IoCtx>, Error> {
        let id = match self.connection.pool_id(pool) {
            Ok(id) => id,
            Err(Errno::NOT_FOUND) => return Err(attempt.error(Reason::NoPool)),
            Err(errno) => return Err(attempt.ceph(errno)),
        };
        let mut contexts = self.contexts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(context) = contexts.get(pool).filter(|context| context.pool_id() == id) {
            return Ok(Arc::clone(context));
        }
        let context = Arc::new(IoCtx::create(&self.connection, id).map_err(|errno| attempt.ceph(errno))?);
        contexts.insert(Arc::clone(pool), Arc::clone(&context));
        Ok(context)
    }
}

fn attempt(action: &'static str, effect: Effect) -> Attempt {
    Attempt::on_cluster(action, effect)
}

fn configure(connection: &Connection, config: &ClusterConfig, limits: &Limits, attempt: &Attempt) -> Result<(), Error> {
    if let Some(path) = &config.conf_file {
        connection
            .read_configuration(path)
            .map_err(|errno| attempt.broken(format!("reading {} failed: {errno}", path.display())))?;
    }
    let seconds = limits.ceph_timeout_seconds();
    let mut options = vec![
        // So that a call that hangs returns in the end, and its thread with it.
        ("client_mount_timeout", seconds.clone()),
        ("rados_mon_op_timeout", seconds.clone()),
        ("rados_osd_op_timeout", seconds),
        // An acknowledged write is on the disks; large writes in parallel gain nothing from a cache.
        ("rbd_cache", "false".to_owned()),
    ];
    options.extend(config.monitors.iter().map(|monitors| ("mon_host", monitors.clone())));
    match &config.key {
        KeySource::Keyring(path) => options.push(("keyring", path.display().to_string())),
        KeySource::Key(key) => options.push(("key", key.expose_secret().to_owned())),
        KeySource::ConfFile => {}
    }
    for (name, value) in options {
        // The value stays out of the error: it may be the key.
        connection.set_option(name, &value).map_err(|errno| attempt.broken(format!("setting {name} failed: {errno}")))?;
    }
    Ok(())
}

/// What librados' short answers mean when they come from connecting.
fn explain_connect(errno: Errno, attempt: &Attempt) -> Error {
    match errno.0 {
        libc::ENOENT => attempt.broken("no monitor is configured, or the keyring is not there or not readable (os error 2)"),
        libc::EACCES | libc::EPERM => {
            attempt.broken(format!("the monitors refuse this identity or its key (os error {})", errno.0))
        }
        libc::EINVAL => attempt.broken("the key or the monitors' addresses are malformed (os error 22)"),
        _ => attempt.ceph(errno),
    }
}

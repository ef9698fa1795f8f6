//! A lane: one connection and a few threads for one kind of call.
//!
//! libvirtd serves five requests of a connection at a time, and a request may hang for as long as the
//! storage is away. So calls of different kinds have lanes of their own, and each call runs on a thread
//! that may be lost: at its deadline the caller is freed and the thread keeps its place until libvirt
//! answers. When all places are taken, further calls fail without being begun.
//!
//! Always true: no more than [`PLACES`] threads a lane; a thread that hangs hinders neither the runtime
//! nor the end of the process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::connection::Connection;
use super::error::LibvirtError;
use crate::hypervisor::HypervisorError;

/// As many requests of one connection as libvirtd serves at once.
pub const PLACES: usize = 5;

/// A kind of call.
pub struct Lane {
    name: &'static str,
    uri: String,
    places: Arc<Semaphore>,
    connection: Arc<Mutex<Option<Arc<Connection>>>>,
    last_call_micros: Arc<AtomicU64>,
}

impl Lane {
    /// A lane to this libvirtd. It connects when it is first used, and again whenever it must.
    pub fn new(name: &'static str, uri: &str) -> Self {
        Self {
            name,
            uri: uri.to_owned(),
            places: Arc::new(Semaphore::new(PLACES)),
            connection: Arc::default(),
            last_call_micros: Arc::default(),
        }
    }

    /// How long the last answered call took.
    pub fn last_call(&self) -> Duration {
        Duration::from_micros(self.last_call_micros.load(Ordering::Relaxed))
    }

    /// Places taken by calls that have not been answered yet.
    pub fn taken(&self) -> usize {
        PLACES - self.places.available_permits()
    }

    /// Runs `call` on a thread of this lane. `what` is what it does, to read after "cannot".
    pub async fn call<T, F>(&self, what: &str, deadline: Duration, call: F) -> Result<T, HypervisorError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, LibvirtError> + Send + 'static,
    {
        let place = match tokio::time::timeout(deadline, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => place,
            _ => return Err(HypervisorError::Busy { what: what.to_owned(), limit: PLACES }),
        };
        let (answer, answered) = oneshot::channel();
        let started = Instant::now();
        self.spawn(what, place, move |connection| {
            // A caller that is gone by now must not be surprised by a late success: it is told "unknown".
            let _ = answer.send(connection.and_then(|connection| call(&connection)));
        })?;
        match tokio::time::timeout(deadline, answered).await {
            Ok(Ok(Ok(value))) => {
                self.measure(started);
                Ok(value)
            }
            Ok(Ok(Err(error))) => {
                self.measure(started);
                Err(classify(error))
            }
            Ok(Err(_)) => Err(HypervisorError::Passing(format!("cannot {what}: its thread ended early"))),
            Err(_) => {
                tracing::warn!(lane = self.name, what, taken = self.taken(), "libvirt did not answer in time");
                Err(HypervisorError::NoAnswer { what: what.to_owned(), waited: deadline })
            }
        }
    }

    fn spawn<F>(&self, what: &str, place: OwnedSemaphorePermit, work: F) -> Result<(), HypervisorError>
    where
        F: FnOnce(Result<Arc<Connection>, LibvirtError>) + Send + 'static,
    {
        let (uri, slot) = (self.uri.clone(), Arc::clone(&self.connection));
        let thread = std::thread::Builder::new().name(format!("libvirt-{}", self.name)).spawn(move || {
            work(connect(&uri, &slot));
            drop(place);
        });
        match thread {
            Ok(_) => Ok(()),
            Err(error) => Err(HypervisorError::Passing(format!("cannot {what}: no thread for it: {error}"))),
        }
    }

    fn measure(&self, started: Instant) {
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last_call_micros.store(micros, Ordering::Relaxed);
    }
}

/// The lane's connection, opened anew where libvirtd went away.
fn connect(uri: &str, slot: &Mutex<Option<Arc<Connection>>>) -> Result<Arc<Connection>, LibvirtError> {
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    match &*slot {
        Some(connection) if connection.is_alive() => Ok(Arc::clone(connection)),
        _ => {
            *slot = None;
            let connection = Arc::new(Connection::open(uri)?);
            *slot = Some(Arc::clone(&connection));
            Ok(connection)
        }
    }
}

fn classify(error: LibvirtError) -> HypervisorError {
    match error.is_worth_retrying() {
        true => HypervisorError::Passing(error.to_string()),
        false => HypervisorError::Broken(error.to_string()),
    }
}

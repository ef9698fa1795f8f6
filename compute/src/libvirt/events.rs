//! Events of domains and secrets, on a connection of their own that is made again whenever it is lost.
//!
//! Events are hints: whoever gets one reads the world. After each (re)connection [`Event::Connected`]
//! says that some may have been missed.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::raw::{c_int, c_void};
use std::time::Duration;

use cuttle_model::ids::InstanceId;
use cuttle_model::instance::PowerState;
use tokio::sync::{mpsc, watch};
use virt_sys as sys;

use super::connection::Connection;
use super::error::LibvirtError;
use super::secret::OwnValues;
use super::secret_events;
use crate::hypervisor::Event;

/// How long until a lost connection is tried again, and how often a silent one is looked at.
const PAUSE: Duration = Duration::from_secs(1);

/// Where events go.
#[derive(Clone)]
pub struct Sink {
    pub events: mpsc::UnboundedSender<Event>,
    /// Counts events, for those who wait for any.
    pub pulse: watch::Sender<u64>,
    pub own_values: OwnValues,
}

impl Sink {
    pub fn send(&self, event: Event) -> bool {
        self.pulse.send_modify(|count| *count += 1);
        self.events.send(event).is_ok()
    }
}

/// Starts the thread that keeps the connection and hands events to `sink`. It ends when nobody takes them.
pub fn start(uri: &str, sink: Sink) -> std::io::Result<()> {
    let uri = uri.to_owned();
    std::thread::Builder::new().name("libvirt-watch".to_owned()).spawn(move || watch_for_ever(&uri, &sink)).map(|_| ())
}

fn watch_for_ever(uri: &str, sink: &Sink) {
    let mut silent = false;
    while !sink.events.is_closed() {
        match Subscription::new(uri, sink) {
            Ok(subscription) => {
                silent = false;
                tracing::info!(uri, "connected to libvirt");
                if !sink.send(Event::Connected) {
                    return;
                }
                subscription.wait_until_lost(sink);
                tracing::warn!(uri, "libvirt went away");
            }
            // A libvirtd that stays away is worth one line, not one a second.
            Err(error) if !silent => {
                silent = true;
                tracing::warn!(%error, "libvirt is away, trying again each second");
            }
            Err(_) => {}
        }
        std::thread::sleep(PAUSE);
    }
}

struct Subscription {
    connection: Connection,
    callback: c_int,
    of_secrets: Vec<c_int>,
}

impl Subscription {
    fn new(uri: &str, sink: &Sink) -> Result<Self, LibvirtError> {
        let connection = Connection::open(uri)?;
        let data = Box::into_raw(Box::new(sink.clone())).cast::<c_void>();
        // SAFETY: libvirt wants the callback of each event kind under one type and calls it as what the
        // kind says; for lifecycle events that is `on_lifecycle`'s type.
        let callback = unsafe {
            std::mem::transmute::<LifecycleCallback, unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, *mut c_void)>(
                on_lifecycle,
            )
        };
        let kind = sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE as c_int;
        // SAFETY: `data` is owned by the registration from here on and freed by `free_sink`.
        let id = unsafe {
            sys::virConnectDomainEventRegisterAny(
                connection.raw(),
                std::ptr::null_mut(),
                kind,
                Some(callback),
                data,
                Some(free_sink),
            )
        };
        if id < 0 {
            let error = LibvirtError::last("subscribe to the events of domains");
            // SAFETY: the registration failed, so nobody else holds it.
            unsafe { free_sink(data) };
            return Err(error);
        }
        let mut subscription = Self { connection, callback: id, of_secrets: Vec::new() };
        subscription.of_secrets.extend(secret_events::subscribe(&subscription.connection, sink)?);
        Ok(subscription)
    }

    fn wait_until_lost(&self, sink: &Sink) {
        while self.connection.is_alive() && !sink.events.is_closed() {
            std::thread::sleep(PAUSE / 4);
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        secret_events::unsubscribe(&self.connection, &self.of_secrets);
        // SAFETY: registered by us on this connection, and taken back once.
        unsafe { sys::virConnectDomainEventDeregisterAny(self.connection.raw(), self.callback) };
    }
}

type LifecycleCallback = unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, c_int, c_int, *mut c_void) -> c_int;

unsafe extern "C" fn on_lifecycle(
    _connection: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    event: c_int,
    detail: c_int,
    data: *mut c_void,
) -> c_int {
    let mut buffer = [0; sys::VIR_UUID_STRING_BUFLEN as usize];
    // SAFETY: the domain is valid during the callback and the buffer has the size that libvirt asks for.
    if unsafe { sys::virDomainGetUUIDString(domain, buffer.as_mut_ptr()) } < 0 {
        return 0;
    }
    // SAFETY: libvirt ends the text with a zero byte.
    let uuid = unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_str().ok();
    let Some(instance_id) = uuid.and_then(|uuid| uuid.parse::<InstanceId>().ok()) else {
        return 0;
    };
    // SAFETY: `data` is the sink that was registered, alive until `free_sink`.
    let sink = unsafe { &*data.cast::<Sink>() };
    sink.send(Event::Changed { instance_id, ended: ended(event.unsigned_abs(), detail.unsigned_abs()) });
    0
}

unsafe extern "C" fn free_sink(data: *mut c_void) {
    // SAFETY: made by `Box::into_raw` for this registration, freed once.
    drop(unsafe { Box::from_raw(data.cast::<Sink>()) });
}

/// How a domain ended, if that is what the event says.
fn ended(event: u32, detail: u32) -> Option<PowerState> {
    match (event, detail) {
        (sys::VIR_DOMAIN_EVENT_STOPPED, sys::VIR_DOMAIN_EVENT_STOPPED_CRASHED | sys::VIR_DOMAIN_EVENT_STOPPED_FAILED)
        | (sys::VIR_DOMAIN_EVENT_CRASHED, _) => Some(PowerState::Crashed),
        (sys::VIR_DOMAIN_EVENT_STOPPED, _) => Some(PowerState::Shutdown),
        _ => None,
    }
}

//! Events of secrets: one was removed, or was given a value by somebody else. Beside those of domains, on
//! the same connection.

#![allow(unsafe_code)]

use std::os::raw::{c_int, c_void};

use virt_sys as sys;

use super::connection::Connection;
use super::error::LibvirtError;
use super::events::Sink;
use super::secret::uuid_of;
use crate::hypervisor::Event;

type Generic = unsafe extern "C" fn(sys::virConnectPtr, sys::virSecretPtr, *mut c_void);
type Lifecycle = unsafe extern "C" fn(sys::virConnectPtr, sys::virSecretPtr, c_int, c_int, *mut c_void);

/// Subscribes to them; the answers are what [`unsubscribe`] takes back.
pub fn subscribe(connection: &Connection, sink: &Sink) -> Result<[c_int; 2], LibvirtError> {
    // What was set before is not told of any more.
    sink.own_values.clear();
    // SAFETY: libvirt wants the callback of each event kind under one type and calls it as what the kind
    // says; for lifecycle events that is `Lifecycle`.
    let on_lifecycle = unsafe { std::mem::transmute::<Lifecycle, Generic>(on_lifecycle) };
    let lifecycle = register(connection, sink, sys::VIR_SECRET_EVENT_ID_LIFECYCLE, on_lifecycle)?;
    let value = register(connection, sink, sys::VIR_SECRET_EVENT_ID_VALUE_CHANGED, on_value);
    value.map(|value| [lifecycle, value]).inspect_err(|_| unsubscribe(connection, &[lifecycle]))
}

/// Takes subscriptions back.
pub fn unsubscribe(connection: &Connection, callbacks: &[c_int]) {
    for callback in callbacks {
        // SAFETY: registered by us on this connection, and taken back once.
        unsafe { sys::virConnectSecretEventDeregisterAny(connection.raw(), *callback) };
    }
}

fn register(connection: &Connection, sink: &Sink, kind: u32, callback: Generic) -> Result<c_int, LibvirtError> {
    let failed = "subscribe to the events of secrets";
    let Ok(kind) = c_int::try_from(kind) else {
        return Err(LibvirtError::own(failed, "libvirt's number for them is too large"));
    };
    let data = Box::into_raw(Box::new(sink.clone())).cast::<c_void>();
    // SAFETY: `data` is owned by the registration from here on and freed by `free_sink`.
    let id = unsafe {
        sys::virConnectSecretEventRegisterAny(connection.raw(), std::ptr::null_mut(), kind, Some(callback), data, Some(free_sink))
    };
    if id < 0 {
        let error = LibvirtError::last(failed);
        // SAFETY: the registration failed, so nobody else holds it.
        unsafe { free_sink(data) };
        return Err(error);
    }
    Ok(id)
}

unsafe extern "C" fn on_lifecycle(
    _connection: sys::virConnectPtr,
    secret: sys::virSecretPtr,
    event: c_int,
    _detail: c_int,
    data: *mut c_void,
) {
    if event.unsigned_abs() != sys::VIR_SECRET_EVENT_UNDEFINED {
        return;
    }
    if let Some(uuid) = uuid_of(secret) {
        // SAFETY: `data` is the sink that was registered, alive until `free_sink`.
        unsafe { &*data.cast::<Sink>() }.send(Event::SecretRemoved(uuid));
    }
}

unsafe extern "C" fn on_value(_connection: sys::virConnectPtr, secret: sys::virSecretPtr, data: *mut c_void) {
    // SAFETY: `data` is the sink that was registered, alive until `free_sink`.
    let sink = unsafe { &*data.cast::<Sink>() };
    if let Some(uuid) = uuid_of(secret)
        && !sink.own_values.was_ours(uuid)
    {
        sink.send(Event::SecretChanged(uuid));
    }
}

unsafe extern "C" fn free_sink(data: *mut c_void) {
    // SAFETY: made by `Box::into_raw` for this registration, freed once.
    drop(unsafe { Box::from_raw(data.cast::<Sink>()) });
}

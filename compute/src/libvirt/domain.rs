//! Domains: the calls of libvirt that the agent makes on them.
//!
//! Each function may block. A domain that is not there is `None` or `Ok`, never an error.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::raw::c_int;

use cuttle_model::ids::InstanceId;
use cuttle_model::instance::PowerState;
use virt_sys as sys;

use super::connection::{Connection, owned, text};
use super::error::LibvirtError;
use crate::domain_xml::metadata::{self, NAMESPACE};
use crate::hypervisor::{Found, Guest};

/// A domain of libvirt. The reference is given back when dropped.
pub struct Domain {
    raw: sys::virDomainPtr,
}

impl Drop for Domain {
    fn drop(&mut self) {
        // SAFETY: the reference is ours and is given back once.
        unsafe { sys::virDomainFree(self.raw) };
    }
}

impl Domain {
    /// For calls that live no longer than this.
    pub fn raw(&self) -> sys::virDomainPtr {
        self.raw
    }

    fn lookup(connection: &Connection, instance: InstanceId) -> Result<Option<Self>, LibvirtError> {
        let what = format!("look up the domain of instance {instance}");
        let uuid = text(&instance.to_string(), &what)?;
        // SAFETY: connection and text are valid during the call.
        let raw = unsafe { sys::virDomainLookupByUUIDString(connection.raw(), uuid.as_ptr()) };
        if !raw.is_null() {
            return Ok(Some(Self { raw }));
        }
        absent_if(LibvirtError::last(what), LibvirtError::is_no_domain)
    }

    fn uuid(&self) -> Option<InstanceId> {
        let mut buffer = [0; sys::VIR_UUID_STRING_BUFLEN as usize];
        // SAFETY: the buffer has the size that libvirt asks for.
        if unsafe { sys::virDomainGetUUIDString(self.raw, buffer.as_mut_ptr()) } < 0 {
            return None;
        }
        // SAFETY: libvirt ends the text with a zero byte.
        unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_str().ok()?.parse().ok()
    }

    /// Our metadata, if it has them.
    fn metadata(&self) -> Result<Option<String>, LibvirtError> {
        let what = "read the metadata of a domain";
        let namespace = text(NAMESPACE, what)?;
        let kind = sys::VIR_DOMAIN_METADATA_ELEMENT as c_int;
        // SAFETY: the text is valid during the call; the answer is ours to free.
        let xml = unsafe { owned(sys::virDomainGetMetadata(self.raw, kind, namespace.as_ptr(), 0)) };
        match xml {
            Some(xml) => Ok(Some(xml)),
            None => absent_if(LibvirtError::last(what), |e| e.is_no_metadata() || e.is_no_domain()),
        }
    }

    /// State and reason, or `None` if it has just gone.
    fn state(&self) -> Result<Option<(u32, u32)>, LibvirtError> {
        let (mut state, mut reason): (c_int, c_int) = (0, 0);
        // SAFETY: both out-pointers are valid during the call.
        if unsafe { sys::virDomainGetState(self.raw, &raw mut state, &raw mut reason, 0) } < 0 {
            return absent_if(LibvirtError::last("read the state of a domain"), LibvirtError::is_no_domain);
        }
        Ok(Some((state.unsigned_abs(), reason.unsigned_abs())))
    }

    fn found(&self) -> Result<Found, LibvirtError> {
        let Some((state, reason)) = self.state()? else {
            return Ok(Found::Nothing);
        };
        let Some(instance_id) = self.uuid() else {
            return Ok(Found::Foreign);
        };
        let epoch = self.metadata()?.and_then(|xml| metadata::epoch_of(&xml, instance_id));
        let Some(epoch) = epoch else {
            return Ok(Found::Foreign);
        };
        let storage_failed = state == sys::VIR_DOMAIN_PAUSED && reason == sys::VIR_DOMAIN_PAUSED_IOERROR;
        Ok(Found::Ours(Guest { instance_id, epoch, power: power(state, reason), storage_failed }))
    }
}

/// Creates a transient domain with its virtual CPUs stopped. It is never defined, so nothing starts it
/// again behind our back.
pub fn create_paused(connection: &Connection, xml: &str, instance: InstanceId) -> Result<(), LibvirtError> {
    create(connection, xml, sys::VIR_DOMAIN_START_PAUSED, format!("create the guest of instance {instance}"))
}

/// Starts the probe's domain, which ends with our connection at the latest.
pub fn start_probe(connection: &Connection, xml: &str) -> Result<(), LibvirtError> {
    create(connection, xml, sys::VIR_DOMAIN_START_AUTODESTROY, "start the probe's guest".to_owned())
}

fn create(connection: &Connection, xml: &str, flags: u32, what: String) -> Result<(), LibvirtError> {
    let xml = text(xml, &what)?;
    // SAFETY: connection and text are valid during the call.
    let raw = unsafe { sys::virDomainCreateXML(connection.raw(), xml.as_ptr(), flags) };
    match raw.is_null() {
        true => Err(LibvirtError::last(what)),
        false => {
            drop(Domain { raw });
            Ok(())
        }
    }
}

/// The domain with an instance's UUID.
pub fn find(connection: &Connection, instance: InstanceId) -> Result<Found, LibvirtError> {
    match Domain::lookup(connection, instance)? {
        Some(domain) => domain.found(),
        None => Ok(Found::Nothing),
    }
}

/// Every active domain with our metadata.
pub fn list(connection: &Connection) -> Result<Vec<Guest>, LibvirtError> {
    let mut guests = Vec::new();
    for domain in active(connection)? {
        if let Found::Ours(guest) = domain.found()? {
            guests.push(guest);
        }
    }
    Ok(guests)
}

/// Every active domain.
pub fn active(connection: &Connection) -> Result<Vec<Domain>, LibvirtError> {
    let mut list: *mut sys::virDomainPtr = std::ptr::null_mut();
    let flags = sys::VIR_CONNECT_LIST_DOMAINS_ACTIVE;
    // SAFETY: the out-pointer is valid during the call.
    let count = unsafe { sys::virConnectListAllDomains(connection.raw(), &raw mut list, flags) };
    let Ok(count) = usize::try_from(count) else {
        return Err(LibvirtError::last("list the domains of this host"));
    };
    // SAFETY: libvirt filled in an array of `count` references, which are ours now.
    let domains: Vec<Domain> = (0..count).map(|index| Domain { raw: unsafe { *list.add(index) } }).collect();
    // SAFETY: the array itself was allocated with malloc for us.
    unsafe { libc::free(list.cast()) };
    Ok(domains)
}

/// Lets a domain run. One that runs is left alone.
pub fn resume(connection: &Connection, instance: InstanceId) -> Result<(), LibvirtError> {
    let what = format!("resume the guest of instance {instance}");
    let Some(domain) = Domain::lookup(connection, instance)? else {
        return Err(LibvirtError::own(what, "there is no such domain"));
    };
    if domain.state()?.is_some_and(|(state, reason)| power(state, reason) == PowerState::Running) {
        return Ok(());
    }
    // SAFETY: the domain is valid during the call.
    match unsafe { sys::virDomainResume(domain.raw) } {
        0 => Ok(()),
        _ => Err(LibvirtError::last(what)),
    }
}

/// Lets a domain stand still.
pub fn pause(connection: &Connection, instance: InstanceId) -> Result<(), LibvirtError> {
    let what = format!("pause the guest of instance {instance}");
    let Some(domain) = Domain::lookup(connection, instance)? else {
        return Err(LibvirtError::own(what, "there is no such domain"));
    };
    if domain.state()?.is_some_and(|(state, reason)| power(state, reason) == PowerState::Paused) {
        return Ok(());
    }
    // SAFETY: the domain is valid during the call.
    match unsafe { sys::virDomainSuspend(domain.raw) } {
        0 => Ok(()),
        _ => Err(LibvirtError::last(what)),
    }
}

/// Presses the power button. A domain that has gone needs none.
pub fn press_power_button(connection: &Connection, instance: InstanceId) -> Result<(), LibvirtError> {
    let Some(domain) = Domain::lookup(connection, instance)? else {
        return Ok(());
    };
    // SAFETY: the domain is valid during the call.
    match unsafe { sys::virDomainShutdownFlags(domain.raw, sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) } {
        0 => Ok(()),
        _ => gone_if_ended(LibvirtError::last(format!("press the power button of instance {instance}"))),
    }
}

/// Ends a domain of ours. `Ok(false)` if there is none.
pub fn destroy(connection: &Connection, instance: InstanceId) -> Result<bool, LibvirtError> {
    let what = format!("destroy the guest of instance {instance}");
    let Some(domain) = Domain::lookup(connection, instance)? else {
        return Ok(false);
    };
    match domain.found()? {
        Found::Nothing => return Ok(false),
        Found::Foreign => return Err(LibvirtError::own(what, "the domain with its UUID was not created by Cuttle")),
        Found::Ours(_) => {}
    }
    // SAFETY: the domain is valid during the call.
    match unsafe { sys::virDomainDestroyFlags(domain.raw, 0) } {
        0 => Ok(true),
        _ => gone_if_ended(LibvirtError::last(what)).map(|()| true),
    }
}

/// Whether the domain with this UUID, whoever made it, has CPUs that run.
pub fn is_running(connection: &Connection, uuid: InstanceId) -> Result<bool, LibvirtError> {
    let state = Domain::lookup(connection, uuid)?.map(|domain| domain.state()).transpose()?.flatten();
    Ok(state.is_some_and(|(state, reason)| power(state, reason) == PowerState::Running))
}

/// Ends the domain with this UUID, whoever made it.
pub fn destroy_any(connection: &Connection, uuid: InstanceId) -> Result<(), LibvirtError> {
    let Some(domain) = Domain::lookup(connection, uuid)? else {
        return Ok(());
    };
    // SAFETY: the domain is valid during the call.
    match unsafe { sys::virDomainDestroyFlags(domain.raw, 0) } {
        0 => Ok(()),
        _ => gone_if_ended(LibvirtError::last(format!("destroy the domain {uuid}"))),
    }
}

/// libvirt's state as the model has it. A domain that is "in shutdown" still has a process. One that is
/// "paused" because it is starting up may not have opened its disks yet: nothing can be said of it.
fn power(state: u32, reason: u32) -> PowerState {
    match state {
        sys::VIR_DOMAIN_RUNNING | sys::VIR_DOMAIN_BLOCKED | sys::VIR_DOMAIN_SHUTDOWN => PowerState::Running,
        sys::VIR_DOMAIN_PAUSED if reason == sys::VIR_DOMAIN_PAUSED_STARTING_UP => PowerState::Unknown,
        sys::VIR_DOMAIN_PAUSED | sys::VIR_DOMAIN_PMSUSPENDED => PowerState::Paused,
        sys::VIR_DOMAIN_SHUTOFF => PowerState::Shutdown,
        sys::VIR_DOMAIN_CRASHED => PowerState::Crashed,
        _ => PowerState::Unknown,
    }
}

fn absent_if<T>(error: LibvirtError, absent: impl Fn(&LibvirtError) -> bool) -> Result<Option<T>, LibvirtError> {
    match absent(&error) {
        true => Ok(None),
        false => Err(error),
    }
}

fn gone_if_ended(error: LibvirtError) -> Result<(), LibvirtError> {
    match error.is_no_domain() || error.is_wrong_state() {
        true => Ok(()),
        false => Err(error),
    }
}

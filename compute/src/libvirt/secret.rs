//! libvirt's secrets: the one that holds the host's cephx key.
//!
//! Always true: it is ephemeral (libvirtd keeps it in memory) and private (libvirtd gives it to
//! nobody). A secret of that UUID that is anything else is replaced; so is one of our usage under
//! another UUID. Running guests do not look at it.

#![allow(unsafe_code)]

use std::ffi::CStr;

use cuttle_compute_protocol::HeldSecret;
use virt_sys as sys;

use super::connection::{Connection, owned, text};
use super::error::LibvirtError;
use crate::domain_xml::tree::Element;
use crate::secret::CephSecret;

struct Secret {
    raw: sys::virSecretPtr,
}

impl Drop for Secret {
    fn drop(&mut self) {
        // SAFETY: the reference is ours and is given back once.
        unsafe { sys::virSecretFree(self.raw) };
    }
}

/// What [`assert()`] had to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Healed {
    /// It was there; only its value was set again.
    AsExpected,
    /// It was not there.
    Missing,
    /// Another one was in its place.
    Foreign,
}

/// Makes sure that libvirtd holds this secret with this value.
pub fn assert(connection: &Connection, secret: &CephSecret) -> Result<Healed, LibvirtError> {
    let (held, healed) = match lookup(connection, secret)? {
        Some(found) if is_as_expected(&found, secret) => (found, Healed::AsExpected),
        Some(found) => {
            undefine(&found, secret)?;
            drop(found);
            (define(connection, secret)?, Healed::Foreign)
        }
        None => match lookup_usage(connection, secret)? {
            Some(found) => {
                undefine(&found, secret)?;
                drop(found);
                (define(connection, secret)?, Healed::Foreign)
            }
            None => (define(connection, secret)?, Healed::Missing),
        },
    };
    let value = secret.expose();
    // SAFETY: pointer and length describe one slice that lives during the call; libvirt copies it.
    match unsafe { sys::virSecretSetValue(held.raw, value.as_ptr(), value.len(), 0) } {
        0 => Ok(healed),
        _ => Err(LibvirtError::last(format!("set the key of {} in libvirt's secret {}", secret.client, secret.uuid))),
    }
}

/// The secrets of Ceph's kind, without what they hide.
pub fn list(connection: &Connection) -> Result<Vec<HeldSecret>, LibvirtError> {
    let mut listed: *mut sys::virSecretPtr = std::ptr::null_mut();
    // SAFETY: the connection is valid during the call; libvirt stores an array that is ours, with its length as the answer.
    let count = unsafe { sys::virConnectListAllSecrets(connection.raw(), &mut listed, 0) };
    let Ok(count) = usize::try_from(count) else {
        return Err(LibvirtError::last("list libvirt's secrets".to_owned()));
    };
    // SAFETY: so many references are in the array, and each is ours.
    let secrets: Vec<Secret> = (0..count).map(|index| Secret { raw: unsafe { *listed.add(index) } }).collect();
    // SAFETY: allocated by libvirt with malloc, freed once; what it named is owned by `secrets`.
    unsafe { libc::free(listed.cast()) };
    Ok(secrets.iter().filter_map(held).collect())
}

fn held(secret: &Secret) -> Option<HeldSecret> {
    let mut uuid = [0u8; 16];
    // SAFETY: the secret is valid; libvirt writes 16 bytes; the usage's text belongs to the secret and is copied at once.
    let usage = unsafe {
        if sys::virSecretGetUsageType(secret.raw).unsigned_abs() != sys::VIR_SECRET_USAGE_TYPE_CEPH
            || sys::virSecretGetUUID(secret.raw, uuid.as_mut_ptr()) != 0
        {
            return None;
        }
        let usage = sys::virSecretGetUsageID(secret.raw);
        if usage.is_null() { String::new() } else { CStr::from_ptr(usage).to_string_lossy().into_owned() }
    };
    Some(HeldSecret { uuid: uuid::Uuid::from_bytes(uuid), usage })
}

fn lookup(connection: &Connection, secret: &CephSecret) -> Result<Option<Secret>, LibvirtError> {
    let what = format!("look up libvirt's secret {}", secret.uuid);
    let uuid = text(&secret.uuid.to_string(), &what)?;
    // SAFETY: connection and text are valid during the call.
    found(unsafe { sys::virSecretLookupByUUIDString(connection.raw(), uuid.as_ptr()) }, what)
}

fn lookup_usage(connection: &Connection, secret: &CephSecret) -> Result<Option<Secret>, LibvirtError> {
    let what = format!("look up libvirt's secret for {}", secret.usage);
    let usage = text(&secret.usage, &what)?;
    let kind = sys::VIR_SECRET_USAGE_TYPE_CEPH as std::os::raw::c_int;
    // SAFETY: connection and text are valid during the call.
    found(unsafe { sys::virSecretLookupByUsage(connection.raw(), kind, usage.as_ptr()) }, what)
}

fn found(raw: sys::virSecretPtr, what: String) -> Result<Option<Secret>, LibvirtError> {
    if !raw.is_null() {
        return Ok(Some(Secret { raw }));
    }
    let error = LibvirtError::last(what);
    match error.is_no_secret() {
        true => Ok(None),
        false => Err(error),
    }
}

fn is_as_expected(found: &Secret, secret: &CephSecret) -> bool {
    // SAFETY: the secret is valid; the usage's text belongs to it and is compared at once.
    let same_usage = unsafe {
        let usage = sys::virSecretGetUsageID(found.raw);
        sys::virSecretGetUsageType(found.raw).unsigned_abs() == sys::VIR_SECRET_USAGE_TYPE_CEPH
            && !usage.is_null()
            && CStr::from_ptr(usage).to_bytes() == secret.usage.as_bytes()
    };
    // SAFETY: the secret is valid; the answer is ours to free. It never holds the value.
    let xml = unsafe { owned(sys::virSecretGetXMLDesc(found.raw, 0)) };
    same_usage && xml.is_some_and(|xml| is_ephemeral_and_private(&xml))
}

fn is_ephemeral_and_private(xml: &str) -> bool {
    let Ok(document) = roxmltree::Document::parse(xml) else {
        return false;
    };
    let root = document.root_element();
    root.attribute("ephemeral") == Some("yes") && root.attribute("private") == Some("yes")
}

fn undefine(found: &Secret, secret: &CephSecret) -> Result<(), LibvirtError> {
    // SAFETY: the secret is valid during the call.
    match unsafe { sys::virSecretUndefine(found.raw) } {
        0 => Ok(()),
        _ => {
            let error = LibvirtError::last(format!("remove what stands in the place of libvirt's secret {}", secret.uuid));
            if error.is_no_secret() { Ok(()) } else { Err(error) }
        }
    }
}

fn define(connection: &Connection, secret: &CephSecret) -> Result<Secret, LibvirtError> {
    let what = format!("define libvirt's secret {} for {}", secret.uuid, secret.client);
    let xml = Element::new("secret")
        .attribute("ephemeral", "yes")
        .attribute("private", "yes")
        .leaf("uuid", secret.uuid.to_string())
        .leaf("description", format!("cephx key of {}, kept by cuttle-compute", secret.client))
        .child(Element::new("usage").attribute("type", "ceph").leaf("name", &secret.usage))
        .render();
    let xml = text(&xml, &what)?;
    // SAFETY: connection and text are valid during the call.
    let raw = unsafe { sys::virSecretDefineXML(connection.raw(), xml.as_ptr(), 0) };
    match raw.is_null() {
        true => Err(LibvirtError::last(what)),
        false => Ok(Secret { raw }),
    }
}

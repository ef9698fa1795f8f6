//! libvirt's secrets: the one that holds the host's cephx key, and those that others made.
//!
//! Always true: it is ephemeral (libvirtd keeps it in memory) and private (libvirtd gives it to
//! nobody). A secret of that UUID that is anything else is replaced; so is one of our usage under
//! another UUID. Running guests do not look at it. What others made beside it is never changed.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::CStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cuttle_compute_protocol::{HeldSecret, secret_of_usage};
use uuid::Uuid;
use virt_sys as sys;

use super::connection::{Connection, owned, text};
use super::error::LibvirtError;
use crate::domain_xml::tree::Element;
use crate::hypervisor::{Healed, SecretState};
use crate::secret::CephSecret;

struct Secret {
    raw: sys::virSecretPtr,
}

/// The UUID of a secret that lives during the call.
pub fn uuid_of(secret: sys::virSecretPtr) -> Option<Uuid> {
    let mut bytes = [0u8; 16];
    // SAFETY: the buffer has the size of a UUID, which is what libvirt writes.
    match unsafe { sys::virSecretGetUUID(secret, bytes.as_mut_ptr()) } {
        0 => Some(Uuid::from_bytes(bytes)),
        _ => None,
    }
}

/// Values that we have set and libvirt has not told of yet: its event does not say who set one.
#[derive(Clone, Default)]
pub struct OwnValues(Arc<Mutex<HashMap<Uuid, u32>>>);

impl OwnValues {
    fn announce(&self, uuid: Uuid) {
        *self.lock().entry(uuid).or_default() += 1;
    }

    /// libvirt tells of a value that was set; whether it was ours.
    pub fn was_ours(&self, uuid: Uuid) -> bool {
        let mut announced = self.lock();
        match announced.get_mut(&uuid) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }

    /// Nothing that was set before is told of any more.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        // SAFETY: the reference is ours and is given back once.
        unsafe { sys::virSecretFree(self.raw) };
    }
}

/// Makes sure that libvirtd holds this secret with this value.
pub fn assert(connection: &Connection, secret: &CephSecret, own_values: &OwnValues) -> Result<Healed, LibvirtError> {
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
    own_values.announce(secret.uuid);
    // SAFETY: pointer and length describe one slice that lives during the call; libvirt copies it.
    match unsafe { sys::virSecretSetValue(held.raw, value.as_ptr(), value.len(), 0) } {
        0 => Ok(healed),
        _ => Err(LibvirtError::last(format!("set the key of {} in libvirt's secret {}", secret.client, secret.uuid))),
    }
}

/// The secrets of Ceph's kind, without what they hide.
pub fn list(connection: &Connection) -> Result<Vec<HeldSecret>, LibvirtError> {
    Ok(all(connection)?.iter().filter_map(held).collect())
}

fn all(connection: &Connection) -> Result<Vec<Secret>, LibvirtError> {
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
    Ok(secrets)
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
    Some(HeldSecret { uuid: Uuid::from_bytes(uuid), usage })
}

/// What somebody else's secret is good for. A value is looked at for its presence and forgotten.
pub fn look(connection: &Connection, uuid: Uuid) -> Result<SecretState, LibvirtError> {
    let what = format!("look at libvirt's secret {uuid}");
    let text = text(&uuid.to_string(), &what)?;
    // SAFETY: connection and text are valid during the call.
    let Some(secret) = found(unsafe { sys::virSecretLookupByUUIDString(connection.raw(), text.as_ptr()) }, what.clone())? else {
        return Ok(SecretState::Missing);
    };
    // SAFETY: the secret is valid.
    if unsafe { sys::virSecretGetUsageType(secret.raw) }.unsigned_abs() != sys::VIR_SECRET_USAGE_TYPE_CEPH {
        return Ok(SecretState::OtherUse);
    }
    let mut size: usize = 0;
    // SAFETY: the secret and the out-pointer are valid during the call; the answer is ours to free.
    let value = unsafe { sys::virSecretGetValue(secret.raw, &raw mut size, 0) };
    if !value.is_null() {
        // SAFETY: libvirt allocated `size` bytes with malloc for us; they are overwritten before they go.
        unsafe {
            std::ptr::write_bytes(value, 0, size);
            libc::free(value.cast());
        }
        return Ok(if size == 0 { SecretState::NoValue } else { SecretState::Usable });
    }
    let error = LibvirtError::last(what);
    match error.code {
        sys::VIR_ERR_NO_SECRET => Ok(SecretState::NoValue),
        // It is private: libvirt gives it to QEMU alone.
        sys::VIR_ERR_INVALID_SECRET | sys::VIR_ERR_OPERATION_DENIED => Ok(SecretState::Usable),
        _ => Err(error),
    }
}

/// Undefines secrets of ours but for these. Others' are left alone.
pub fn forget_but(connection: &Connection, kept: &[Uuid]) -> Result<(), LibvirtError> {
    for secret in all(connection)? {
        let Some(HeldSecret { usage, uuid }) = held(&secret) else { continue };
        if secret_of_usage(&usage).is_none() || kept.contains(&uuid) {
            continue;
        }
        // SAFETY: the secret is valid during the call.
        if unsafe { sys::virSecretUndefine(secret.raw) } < 0 {
            let error = LibvirtError::last(format!("forget libvirt's secret {uuid}"));
            if !error.is_no_secret() {
                return Err(error);
            }
        }
        tracing::info!(%uuid, usage, "a secret of ours that is not needed any more was forgotten");
    }
    Ok(())
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

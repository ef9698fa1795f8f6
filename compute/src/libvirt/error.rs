//! What libvirt answers when it refuses or fails, read out of its per-thread error before another call
//! overwrites it.

#![allow(unsafe_code)]

use std::ffi::CStr;

use virt_sys as sys;

/// One error of libvirt: what was attempted, and libvirt's own code and words.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {what}: {message}")]
pub struct LibvirtError {
    /// What was attempted on what, to read after "cannot".
    pub what: String,
    /// libvirt's number, `VIR_ERR_…`.
    pub code: u32,
    /// Which part of libvirt it comes from, `VIR_FROM_…`.
    pub domain: u32,
    /// libvirt's words.
    pub message: String,
}

impl LibvirtError {
    /// The error of this thread's last call.
    pub fn last(what: impl Into<String>) -> Self {
        let what = what.into();
        // SAFETY: the pointer belongs to this thread and stays valid until its next libvirt call;
        // all is copied before that.
        let error = unsafe { sys::virGetLastError().as_ref() };
        let Some(error) = error else {
            return Self { what, code: 0, domain: 0, message: "libvirt gave no reason".to_owned() };
        };
        let message = match error.message.is_null() {
            true => "libvirt gave no reason".to_owned(),
            // SAFETY: not null, and libvirt's messages end with a zero byte.
            false => unsafe { CStr::from_ptr(error.message) }.to_string_lossy().into_owned(),
        };
        Self { what, code: number(error.code), domain: number(error.domain), message }
    }

    /// A failure that libvirt was not asked about, such as a zero byte in a text.
    pub fn own(what: impl Into<String>, message: impl Into<String>) -> Self {
        Self { what: what.into(), code: sys::VIR_ERR_INVALID_ARG, domain: 0, message: message.into() }
    }

    /// There is no such domain.
    pub fn is_no_domain(&self) -> bool {
        self.code == sys::VIR_ERR_NO_DOMAIN
    }

    /// There is no such secret.
    pub fn is_no_secret(&self) -> bool {
        self.code == sys::VIR_ERR_NO_SECRET
    }

    /// The domain has no metadata of the namespace that was asked for.
    pub fn is_no_metadata(&self) -> bool {
        self.code == sys::VIR_ERR_NO_DOMAIN_METADATA
    }

    /// The domain is not in a state that allows it; most often it has just ended.
    pub fn is_wrong_state(&self) -> bool {
        self.code == sys::VIR_ERR_OPERATION_INVALID
    }

    /// libvirtd was not reached or went away meanwhile; what it did is not known.
    pub fn is_connection(&self) -> bool {
        let from_rpc = matches!(self.domain, sys::VIR_FROM_RPC | sys::VIR_FROM_REMOTE);
        match self.code {
            sys::VIR_ERR_NO_CONNECT | sys::VIR_ERR_INVALID_CONN | sys::VIR_ERR_RPC => true,
            sys::VIR_ERR_SYSTEM_ERROR | sys::VIR_ERR_INTERNAL_ERROR | sys::VIR_ERR_OPERATION_FAILED => from_rpc,
            _ => false,
        }
    }

    /// Asking again later may succeed.
    pub fn is_worth_retrying(&self) -> bool {
        self.is_connection() || matches!(self.code, sys::VIR_ERR_OPERATION_TIMEOUT | sys::VIR_ERR_NO_SECRET)
    }
}

fn number(code: std::os::raw::c_int) -> u32 {
    u32::try_from(code).unwrap_or_default()
}

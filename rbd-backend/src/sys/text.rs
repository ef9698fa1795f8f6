//! Strings on their way to and from C.

use super::errno::{Errno, Result, check};
use std::ffi::{CStr, CString, c_char};

/// A C string; one with a NUL inside is an invalid argument, as it would be in C.
pub(crate) fn to_c(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Errno::INVALID)
}

/// Copies a C string that someone else owns; null is empty.
///
/// # Safety
/// `text` is null or a NUL-terminated string that lives through this call.
pub(crate) unsafe fn from_c(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and NUL-terminated by the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The text in a buffer up to its first NUL.
pub(crate) fn from_buffer(buffer: &[u8]) -> String {
    let end = buffer.iter().position(|byte| *byte == 0).unwrap_or(buffer.len());
    String::from_utf8_lossy(&buffer[..end]).into_owned()
}

/// The NUL-terminated strings that `length` bytes hold one after the other.
pub(crate) fn split_list(buffer: &[u8], length: usize) -> Vec<String> {
    let used = &buffer[..length.min(buffer.len())];
    let mut parts: Vec<_> = used.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    // A list ends with a NUL, so the last part is what follows it: nothing.
    if parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    parts
}

/// Calls with a growing count until Ceph no longer answers "too small".
///
/// `call` gets the capacity, stores the needed or used count in it and returns Ceph's code.
pub(crate) fn grow<T>(start: usize, mut call: impl FnMut(&mut usize) -> (i32, T)) -> Result<T> {
    let mut capacity = start;
    loop {
        let asked = capacity;
        let (code, value) = call(&mut capacity);
        match check(code) {
            Ok(_) => return Ok(value),
            // Ceph says how much it needs; where it does not, double.
            Err(Errno::RANGE) if asked < 1 << 28 => capacity = capacity.max(asked * 2),
            Err(errno) => return Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_empty_values_inside() {
        assert_eq!(split_list(b"a\0\0b\0junk", 5), ["a", "", "b"]);
        assert!(split_list(b"", 0).is_empty());
    }

    #[test]
    fn a_nul_inside_is_invalid() {
        assert_eq!(to_c("a\0b"), Err(Errno::INVALID));
    }

    #[test]
    fn growing_stops_when_it_fits() {
        let mut calls = 0;
        let found = grow(1, |capacity| {
            calls += 1;
            if *capacity < 5 {
                *capacity = 5;
                return (-libc::ERANGE, 0);
            }
            (0, *capacity)
        });
        assert_eq!((found, calls), (Ok(5), 2));
    }
}

//! The error numbers that Ceph answers with: negative in C, positive here.

use std::fmt;

/// A positive errno as Ceph gave it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

/// What a C call gave, without knowing what was attempted.
pub(crate) type Result<T> = std::result::Result<T, Errno>;

impl Errno {
    pub(crate) const INVALID: Errno = Errno(libc::EINVAL);
    pub(crate) const NOT_FOUND: Errno = Errno(libc::ENOENT);
    pub(crate) const EXISTS: Errno = Errno(libc::EEXIST);
    pub(crate) const RANGE: Errno = Errno(libc::ERANGE);
    pub(crate) const MALFORMED: Errno = Errno(libc::EBADMSG);
    pub(crate) const NOT_PERMITTED: Errno = Errno(libc::EPERM);
    pub(crate) const NOT_EMPTY: Errno = Errno(libc::ENOTEMPTY);
    pub(crate) const BUSY: Errno = Errno(libc::EBUSY);
    pub(crate) const ACCESS: Errno = Errno(libc::EACCES);
    pub(crate) const NO_SPACE: Errno = Errno(libc::ENOSPC);
    pub(crate) const QUOTA: Errno = Errno(libc::EDQUOT);
}

/// Zero and up is success in all of Ceph's C API.
pub(crate) fn check(code: i32) -> Result<i32> {
    if code < 0 { Err(Errno(code.saturating_neg())) } else { Ok(code) }
}

impl fmt::Display for Errno {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            libc::ESHUTDOWN => write!(formatter, "this client is on the cluster's blocklist (os error {})", self.0),
            libc::ENOSPC => write!(formatter, "the pool or the cluster is full (os error {})", self.0),
            libc::EDQUOT => write!(formatter, "the pool's quota is used up (os error {})", self.0),
            libc::EPERM | libc::EACCES => {
                write!(formatter, "not permitted to this client: its key or its caps (os error {})", self.0)
            }
            libc::ETIMEDOUT => write!(formatter, "Ceph did not answer in time (os error {})", self.0),
            number => write!(formatter, "{}", std::io::Error::from_raw_os_error(number)),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Errno({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_codes_become_positive_errnos() {
        assert_eq!(check(-2), Err(Errno::NOT_FOUND));
        assert_eq!(check(0), Ok(0));
        assert_eq!(check(17), Ok(17));
        assert_eq!(check(i32::MIN), Err(Errno(i32::MAX)));
    }

    #[test]
    fn blocklisted_is_said_in_words() {
        assert!(Errno(libc::ESHUTDOWN).to_string().contains("blocklist"));
        assert!(Errno(libc::ENOENT).to_string().contains("os error 2"));
    }
}

//! What went wrong, while attempting what, on which pool and image, and what a caller may do about it.
//!
//! What always holds: Ceph's errno is kept; no text contains a key; a change whose outcome is not known says so.

use crate::capacity::FullBecause;
use crate::rights::MissingRight;
use crate::sys::errno::Errno;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The one question that a caller asks of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing was changed, and the same call may succeed later.
    Retry,
    /// What was named is not there.
    Gone,
    /// It will not be done as asked, and it says why.
    Refused,
    /// The cluster, our rights in it or our configuration need an operator.
    Broken,
    /// A change may or may not have happened, or may still happen: read the world again first.
    Unknown,
}

impl Class {
    /// One word, for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether a call changes anything, for what a missing answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Read,
    Change,
}

/// What was attempted on what.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) action: &'static str,
    pub(crate) effect: Effect,
    pub(crate) pool: Option<Arc<str>>,
    /// An image, a client, an option: whatever the action is about besides the pool.
    pub(crate) object: Option<String>,
}

impl Attempt {
    pub(crate) fn on_cluster(action: &'static str, effect: Effect) -> Attempt {
        Attempt { action, effect, pool: None, object: None }
    }

    /// The same attempt, where it is about another pool as a whole.
    pub(crate) fn of_pool(&self, pool: &Arc<str>) -> Attempt {
        Attempt { pool: Some(Arc::clone(pool)), object: None, ..self.clone() }
    }

    pub(crate) fn ceph(&self, errno: Errno) -> Error {
        match (&self.pool, FullBecause::of(errno)) {
            (Some(pool), Some(because)) => self.error(Reason::Full { pool: Arc::clone(pool), because, errno }),
            _ => self.error(Reason::Ceph { errno, status: String::new() }),
        }
    }

    pub(crate) fn refused(&self, why: impl Into<String>) -> Error {
        self.error(Reason::Refused(why.into()))
    }

    pub(crate) fn broken(&self, why: impl Into<String>) -> Error {
        self.error(Reason::Broken(why.into()))
    }

    pub(crate) fn error(&self, reason: Reason) -> Error {
        Error { attempt: Box::new(self.clone()), reason }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.action)?;
        match (&self.pool, &self.object) {
            (Some(pool), Some(object)) => write!(formatter, " {pool}/{object}"),
            (Some(pool), None) => write!(formatter, " in pool {pool}"),
            (None, Some(object)) => write!(formatter, " {object}"),
            (None, None) => Ok(()),
        }
    }
}

/// Why an attempt failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// Ceph answered with an error; `status` is what a monitor said to it, if anything.
    Ceph { errno: Errno, status: String },
    /// The pool itself is not there.
    NoPool,
    /// The pool takes no more data. What is deleted from it goes all the same.
    Full { pool: Arc<str>, because: FullBecause, errno: Errno },
    /// Our identity lacks a right.
    Denied { right: Box<MissingRight>, errno: Errno },
    /// The deadline passed while the call was running: `Class::Unknown` for a change.
    Deadline { after: Duration },
    /// The deadline passed before the call began: nothing was changed.
    NeverStarted { after: Duration },
    /// The deadline passed while an earlier change of the same object hung in Ceph: nothing was changed.
    Behind { after: Duration },
    /// Too many earlier calls hang in Ceph or wait their turn.
    Overloaded { stuck: usize, waiting: usize },
    /// Refused by us, before or after asking Ceph.
    Refused(String),
    /// An answer or a configuration that cannot be right.
    Broken(String),
}

/// An attempt on Ceph that did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {attempt}: {reason}")]
pub struct Error {
    attempt: Box<Attempt>,
    reason: Reason,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Ceph { errno, status } if status.is_empty() => write!(formatter, "{errno}"),
            Reason::Ceph { errno, status } => write!(formatter, "{status}: {errno}"),
            Reason::NoPool => formatter.write_str("there is no such pool"),
            Reason::Full { pool, because, errno } => write!(formatter, "pool {pool} is full: {because} (os error {})", errno.0),
            Reason::Denied { right, errno } => write!(formatter, "{right}; {} (os error {})", right.remedy(), errno.0),
            Reason::Deadline { after } => {
                write!(formatter, "no answer from Ceph within {} s", after.as_secs_f64())
            }
            Reason::NeverStarted { after } => {
                write!(formatter, "not started within {} s, because other calls to Ceph did not end", after.as_secs_f64())
            }
            Reason::Behind { after } => {
                write!(
                    formatter,
                    "not started within {} s, because Ceph has not answered an earlier attempt yet",
                    after.as_secs_f64()
                )
            }
            Reason::Overloaded { stuck, waiting } => {
                write!(formatter, "Ceph does not answer: {stuck} earlier calls are stuck and {waiting} wait")
            }
            Reason::Refused(why) | Reason::Broken(why) => formatter.write_str(why),
        }
    }
}

impl Error {
    /// An error of another [`Storage`](crate::Storage).
    pub fn new(action: &'static str, effect: Effect, pool: Option<&str>, object: Option<String>, reason: Reason) -> Error {
        Attempt { action, effect, pool: pool.map(Arc::from), object }.error(reason)
    }

    /// This very client is on the blocklist: nothing that it asks for is done any more, and what it asked for before may
    /// or may not have been done.
    pub fn is_fenced(&self) -> bool {
        self.errno() == Some(libc::ESHUTDOWN)
    }

    /// What a caller may do about it.
    pub fn class(&self) -> Class {
        match &self.reason {
            Reason::Ceph { errno, .. } => class_of(*errno, self.attempt.effect),
            Reason::Deadline { .. } if self.attempt.effect == Effect::Change => Class::Unknown,
            Reason::Deadline { .. } | Reason::NeverStarted { .. } | Reason::Behind { .. } | Reason::Overloaded { .. } => {
                Class::Retry
            }
            Reason::Refused(_) | Reason::Full { .. } => Class::Refused,
            Reason::NoPool | Reason::Denied { .. } | Reason::Broken(_) => Class::Broken,
        }
    }

    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// What was attempted, as a verb and its object: `create image`.
    pub fn action(&self) -> &'static str {
        self.attempt.action
    }

    pub fn pool(&self) -> Option<&str> {
        self.attempt.pool.as_deref()
    }

    /// The image (`name` or `name@snapshot`) or other object that it was about.
    pub fn object(&self) -> Option<&str> {
        self.attempt.object.as_deref()
    }

    /// Ceph's error number, positive, where Ceph gave one.
    pub fn errno(&self) -> Option<i32> {
        match &self.reason {
            Reason::Ceph { errno, .. } | Reason::Full { errno, .. } | Reason::Denied { errno, .. } => Some(errno.0),
            _ => None,
        }
    }

    pub(crate) fn is(&self, errno: Errno) -> bool {
        self.errno() == Some(errno.0)
    }
}

fn class_of(errno: Errno, effect: Effect) -> Class {
    match errno.0 {
        libc::ENOENT => Class::Gone,
        // Timed out inside Ceph: what was sent may still be carried out.
        libc::ETIMEDOUT | libc::EINTR | libc::ECONNRESET | libc::ECANCELED if effect == Effect::Change => Class::Unknown,
        libc::ETIMEDOUT
        | libc::EINTR
        | libc::ECONNRESET
        | libc::ECANCELED
        | libc::EAGAIN
        | libc::ENOMEM
        | libc::ENOTCONN
        | libc::ECONNREFUSED
        | libc::EHOSTUNREACH
        | libc::ENETUNREACH => Class::Retry,
        // Rights, identity, blocklist, damage: the same call will not do better.
        libc::EACCES
        | libc::EPERM
        | libc::ESHUTDOWN
        | libc::EIO
        | libc::EBADMSG
        | libc::EPROTO
        | libc::EBADF
        | libc::ENOTSUP
        | libc::ENOSYS => Class::Broken,
        libc::EEXIST
        | libc::EBUSY
        | libc::EINVAL
        | libc::ENOSPC
        | libc::EDQUOT
        | libc::EROFS
        | libc::ENAMETOOLONG
        | libc::ERANGE
        | libc::EFBIG
        | libc::EDOM
        | libc::ENOTEMPTY
        | libc::EXDEV => Class::Refused,
        _ if effect == Effect::Change => Class::Unknown,
        _ => Class::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(effect: Effect) -> Attempt {
        Attempt { action: "create image", effect, pool: Some("vms".into()), object: Some("x_disk".into()) }
    }

    #[test]
    fn says_what_was_attempted_on_what() {
        let error = attempt(Effect::Change).ceph(Errno(libc::EEXIST));
        assert_eq!(error.to_string(), "cannot create image vms/x_disk: File exists (os error 17)");
        assert_eq!((error.pool(), error.object(), error.errno()), (Some("vms"), Some("x_disk"), Some(17)));
    }

    #[test]
    fn a_missing_answer_is_unknown_for_a_change_only() {
        let late = || Reason::Deadline { after: Duration::from_secs(1) };
        assert_eq!(attempt(Effect::Change).error(late()).class(), Class::Unknown);
        assert_eq!(attempt(Effect::Read).error(late()).class(), Class::Retry);
        assert_eq!(attempt(Effect::Change).ceph(Errno(libc::ETIMEDOUT)).class(), Class::Unknown);
        let unstarted = Reason::NeverStarted { after: Duration::from_secs(1) };
        assert_eq!(attempt(Effect::Change).error(unstarted).class(), Class::Retry);
    }

    #[test]
    fn a_full_pool_is_named_with_what_filled_it() {
        let error = attempt(Effect::Change).ceph(Errno::QUOTA);
        let text = "cannot create image vms/x_disk: pool vms is full: its quota is used up (os error 122)";
        assert_eq!((error.to_string().as_str(), error.class(), error.errno()), (text, Class::Refused, Some(122)));
        assert!(attempt(Effect::Change).ceph(Errno::NO_SPACE).to_string().contains("pool vms is full: an OSD"));
    }

    #[test]
    fn each_class_has_its_errnos() {
        for (errno, class) in [
            (libc::ENOENT, Class::Gone),
            (libc::EACCES, Class::Broken),
            (libc::ESHUTDOWN, Class::Broken),
            (libc::EBUSY, Class::Refused),
            (libc::ENOSPC, Class::Refused),
            (libc::EAGAIN, Class::Retry),
        ] {
            assert_eq!(attempt(Effect::Change).ceph(Errno(errno)).class(), class, "errno {errno}");
        }
    }
}

//! Weighers: which of the hosts that can take the instance is best? A file each, with Nova's name.

mod ram;

use crate::choice::HostView;

/// The weighers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weigher {
    Ram,
}

impl Weigher {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Ram];

    /// Nova's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ram => "RAMWeigher",
        }
    }

    /// The weight before it is normalized over all hosts; greater is better.
    pub(crate) fn raw(self, host: &HostView<'_>) -> f64 {
        match self {
            Self::Ram => ram::raw(host),
        }
    }
}

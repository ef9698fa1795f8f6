//! Filters: may this host take the instance at all? A file each, with Nova's name.

mod compute;
mod core;
mod disk;
mod ram;
mod retry;

use crate::choice::{HostView, Request, Shortfall, World};

/// A filter's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail {
        /// How much is missing, where that can be said.
        shortfall: Option<Shortfall>,
    },
}

impl Verdict {
    /// Passes if `needed` is at most `free`.
    fn enough(needed: u64, free: u64, unit: &'static str) -> Self {
        match needed.checked_sub(free) {
            None | Some(0) => Self::Pass,
            Some(amount) => Self::Fail { shortfall: Some(Shortfall { amount, unit }) },
        }
    }

    /// Passes if `ok`.
    fn when(ok: bool) -> Self {
        if ok { Self::Pass } else { Self::Fail { shortfall: None } }
    }
}

/// The filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    Compute,
    Retry,
    Core,
    Ram,
    Disk,
}

impl Filter {
    /// In the order in which they run: the cheapest and most telling first.
    pub const ALL: [Self; 5] = [Self::Compute, Self::Retry, Self::Core, Self::Ram, Self::Disk];

    /// Nova's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compute => "ComputeFilter",
            Self::Retry => "RetryFilter",
            Self::Core => "CoreFilter",
            Self::Ram => "RamFilter",
            Self::Disk => "DiskFilter",
        }
    }

    pub(crate) fn check(self, host: &HostView<'_>, request: &Request<'_>, world: &World<'_>) -> Verdict {
        match self {
            Self::Compute => compute::check(host, world),
            Self::Retry => retry::check(host, request),
            Self::Core => core::check(host, request),
            Self::Ram => ram::check(host, request),
            Self::Disk => disk::check(request, world),
        }
    }
}

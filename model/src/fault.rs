//! Why something went wrong, in words that a user may read.

use serde::{Deserialize, Serialize};

/// A failure that is shown to users. It names no key, token or password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind of failure.
    pub kind: FaultKind,
    /// One sentence: what was attempted, on what, and why it failed.
    pub message: String,
}

/// The kinds of failure that a user may want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// No host could take the instance.
    NoValidHost,
    /// Ceph refused or failed.
    Storage,
    /// The hypervisor or its agent refused or failed.
    Hypervisor,
    /// The outcome of something is not known and nobody may guess it.
    Unknown,
    /// Cuttle itself went wrong.
    Internal,
}

impl Fault {
    /// A fault of this kind.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The code that OpenStack's clients expect in `fault.code`.
    pub fn code(&self) -> u16 {
        500
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

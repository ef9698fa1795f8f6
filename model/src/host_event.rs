//! What has happened to a host and its keys, for operators to read.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;

/// Something that happened. Told twice with the same id, it happened once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostEvent {
    pub id: Uuid,
    pub at: Timestamp,
    pub kind: HostEventKind,
    /// In words; never a key, a token or a password.
    pub message: String,
}

/// What kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostEventKind {
    /// A token was made with which the host may join.
    TokenIssued,
    /// The host joined; certificates that it had before are void.
    Joined,
    /// A token was used that had been used, or was too old.
    JoinRefused,
    /// The host has the next certificate.
    CertificateRenewed,
    /// The host is to use the next cephx identity.
    KeyRotated,
    /// An older cephx identity that no guest uses was removed.
    KeyRemoved,
    /// libvirt did not hold our secret as it should, and does again.
    SecretHealed,
    /// A secret that the host's configuration names cannot be used.
    SecretUnusable,
    /// The host's path to storage answers as it should again.
    StorageGood,
    /// It answers slowly: other hosts are preferred.
    StorageSlow,
    /// It does not answer: the host takes no new instances.
    StorageBroken,
}

impl HostEventKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::TokenIssued,
        Self::Joined,
        Self::JoinRefused,
        Self::CertificateRenewed,
        Self::KeyRotated,
        Self::KeyRemoved,
        Self::SecretHealed,
        Self::SecretUnusable,
        Self::StorageGood,
        Self::StorageSlow,
        Self::StorageBroken,
    ];

    /// The word in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokenIssued => "token_issued",
            Self::Joined => "joined",
            Self::JoinRefused => "join_refused",
            Self::CertificateRenewed => "certificate_renewed",
            Self::KeyRotated => "key_rotated",
            Self::KeyRemoved => "key_removed",
            Self::SecretHealed => "secret_healed",
            Self::SecretUnusable => "secret_unusable",
            Self::StorageGood => "storage_good",
            Self::StorageSlow => "storage_slow",
            Self::StorageBroken => "storage_broken",
        }
    }

    /// The kind of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

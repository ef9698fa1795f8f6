//! Keypairs: public keys that users name, to be put into their instances. The private half is shown
//! once, to whoever asked for the pair to be made; it is never kept.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::UserId;

/// A user's public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keypair {
    pub user_id: UserId,
    /// Unique among the user's.
    pub name: String,
    pub public_key: PublicKey,
    /// Pairs of hex digits with colons between: MD5 of an SSH key, SHA-1 of a certificate, as in Nova.
    pub fingerprint: String,
    pub created_at: Timestamp,
}

/// A public key by itself. An instance keeps a copy of the one that it was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    pub kind: KeypairKind,
    /// As it was imported: one line of `authorized_keys`, or a certificate in PEM.
    pub text: String,
}

/// What a keypair is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeypairKind {
    Ssh,
    X509,
}

impl KeypairKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Ssh, Self::X509];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::X509 => "x509",
        }
    }

    /// The kind of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

//! How hosts prove who they are: tokens to join with, certificates, and what has happened to them.

use async_trait::async_trait;
use cuttle_model::clock::Timestamp;
use cuttle_model::host::Host;
use cuttle_model::host_event::HostEvent;
use cuttle_model::ids::HostId;

use crate::Result;

/// Tokens, certificates and events of hosts.
#[async_trait]
pub trait Joins {
    /// Stores a token with which a host may join; those of it that were not used are void from now on.
    async fn insert_join_token(&self, host: HostId, token: &NewJoinToken) -> Result<()>;

    /// The token with this SHA-256, whatever became of it.
    async fn find_join_token(&self, token_sha256: &[u8; 32]) -> Result<Option<JoinToken>>;

    /// Uses a token: from now on the host has this certificate and no other. False, and nothing is
    /// changed: the token has expired, or was used for another key. Of several at once one wins. Whoever
    /// used it for this very key may again, until it expires: the answer may have been lost.
    async fn use_join_token(&self, token_sha256: &[u8; 32], joining: &Joining) -> Result<bool>;

    /// Stores the host's next certificate beside the one that it shows; others are void from now on.
    /// False: the one that it shows is void.
    async fn insert_certificate(&self, host: HostId, shown_sha256: &[u8; 32], next: &Certificate) -> Result<bool>;

    /// Makes all certificates of the host but this one void.
    async fn keep_certificate(&self, host: HostId, certificate_sha256: &[u8; 32]) -> Result<()>;

    /// The host that may show the certificate with this SHA-256 now.
    async fn authenticate_host(&self, certificate_sha256: &[u8; 32], now: Timestamp) -> Result<Option<Host>>;

    /// When the newest of the host's certificates expires; `None`: it has none.
    async fn certificate_expiry(&self, host: HostId) -> Result<Option<Timestamp>>;

    /// Removes tokens that expired before this time; answers how many.
    async fn purge_join_tokens(&self, before: Timestamp) -> Result<u64>;

    /// Stores an event, unless it is known. The oldest beyond some hundreds are removed.
    async fn insert_host_event(&self, host: HostId, event: &HostEvent) -> Result<()>;

    /// The newest events of a host, the newest first.
    async fn list_host_events(&self, host: HostId, limit: u32) -> Result<Vec<HostEvent>>;
}

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJoinToken {
    pub token_sha256: [u8; 32],
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinToken {
    pub host: Host,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
    /// The address from which it was used.
    pub used_from: Option<String>,
}

/// A host that joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    pub public_key_sha256: [u8; 32],
    /// The address from which it comes.
    pub from: String,
    pub certificate: Certificate,
}

/// A certificate as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Of its DER.
    pub sha256: [u8; 32],
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

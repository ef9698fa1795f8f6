//! Hosts join: a token is made for a host, and the first who brings it is given the host's certificate.
//!
//! Always true: of a token only the SHA-256 is kept; the database decides in one statement who uses it;
//! a refused use is logged with host and address and is an event of the host. What is printed of a token
//! is its host, never the token.
//!
//! Certificates are signed by whoever calls this; here is decided for whom.

use std::time::Duration;

use cuttle_compute_protocol::{JoinToken, VERSION};
use cuttle_database::{Certificate, Database, Inserted, Joining, NewJoinToken};
use cuttle_model::clock::{Clock, Timestamp};
use cuttle_model::host::{Administrative, Host, HostName};
use cuttle_model::host_event::{HostEvent, HostEventKind};
use cuttle_model::ids::{HostId, Ids};
use sha2::{Digest, Sha256};

use crate::HostError;

/// How long a token that can no longer be used is remembered, so that its use is recognised.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);

/// What joining works with; it needs no Ceph.
#[derive(Clone, Copy)]
pub struct Registry<'a> {
    pub database: &'a Database,
    pub clock: &'a dyn Clock,
    pub ids: &'a dyn Ids,
}

/// A token that was made. It is shown once, to whoever asked for it.
#[derive(Debug)]
pub struct Issued {
    pub host: Host,
    pub token: JoinToken,
    pub expires_at: Timestamp,
}

/// Who may join now, or why not.
#[derive(Debug, thiserror::Error)]
pub enum JoinRefusal {
    #[error("the agent speaks protocol {theirs}, this control node {ours}")]
    Protocol { theirs: u32, ours: u32 },
    #[error("nobody made this token, or a newer one was made for the host: `cuttle host rejoin` makes one")]
    Unknown,
    #[error("this token was not made for host {0}")]
    OtherHost(HostName),
    #[error("this token could be used until {}: `cuttle host rejoin` makes a new one", .0.to_seconds_z())]
    Expired(Timestamp),
    #[error("this token has been used, at {} from {from}; if that was not this host, its key is known to somebody else: `cuttle host rejoin` makes a new token and locks the other out", .at.to_seconds_z())]
    Used { at: Timestamp, from: String },
    #[error(transparent)]
    Database(#[from] cuttle_database::Error),
}

impl<'a> Registry<'a> {
    /// Adds a host that may join with the token. A host that has not joined yet is given a new one.
    pub async fn add(&self, name: &HostName, authority: [u8; 32], lifetime: Duration) -> Result<Issued, HostError> {
        let host = Host {
            id: HostId::new(self.ids),
            name: name.clone(),
            administrative: Administrative::Enabled,
            resources: None,
            boot_id: None,
            last_seen_at: None,
            ceph_generation: 1,
            created_at: self.clock.now(),
        };
        let host = match self.database.insert_host(&host).await? {
            Inserted::Inserted => host,
            Inserted::SameId | Inserted::SameName => {
                let known = self.find(name).await?;
                // One that has joined is not locked out by a slip: that is what `rejoin` says.
                if known.resources.is_some() || self.database.certificate_expiry(known.id).await?.is_some() {
                    return Err(HostError::Exists(name.clone()));
                }
                known
            }
        };
        self.issue(host, authority, lifetime).await
    }

    /// Makes a token with which a host that exists may join again; its certificates are honoured until then.
    pub async fn rejoin(&self, name: &HostName, authority: [u8; 32], lifetime: Duration) -> Result<Issued, HostError> {
        self.issue(self.find(name).await?, authority, lifetime).await
    }

    async fn find(&self, name: &HostName) -> Result<Host, HostError> {
        self.database.find_host(name).await?.ok_or_else(|| HostError::NotFound(name.clone()))
    }

    async fn issue(&self, host: Host, authority: [u8; 32], lifetime: Duration) -> Result<Issued, HostError> {
        let random = Sha256::new().chain_update(self.ids.uuid()).chain_update(self.ids.uuid()).finalize();
        let token = JoinToken::new(random.into(), authority);
        let (created_at, token_sha256) = (self.clock.now(), sha256(token.secret()));
        let expires_at = created_at.plus(lifetime);
        self.database.insert_join_token(host.id, &NewJoinToken { token_sha256, created_at, expires_at }).await?;
        let message = format!("a token to join with was made; it can be used until {}", expires_at.to_seconds_z());
        self.note(host.id, HostEventKind::TokenIssued, message).await?;
        tracing::info!(host = %host.name, until = expires_at.to_seconds_z(), "a token to join with was made");
        Ok(Issued { host, token, expires_at })
    }

    /// The host that may join with this secret now. Refusals are noted.
    pub async fn look(&self, protocol: u32, name: &HostName, secret: &str, from: &str) -> Result<Host, JoinRefusal> {
        if protocol != VERSION {
            return Err(JoinRefusal::Protocol { theirs: protocol, ours: VERSION });
        }
        let Some(found) = self.database.find_join_token(&sha256(secret)).await? else {
            tracing::warn!(host = %name, from, "an unknown token to join with was used");
            metrics::counter!("cuttle_host_events_total", "kind" => HostEventKind::JoinRefused.as_str()).increment(1);
            return Err(JoinRefusal::Unknown);
        };
        if found.host.name != *name {
            let message = format!("its token was used from {from} for a host named {name}");
            self.refuse(&found.host, from, message).await?;
            return Err(JoinRefusal::OtherHost(name.clone()));
        }
        if found.expires_at <= self.clock.now() {
            self.refuse(&found.host, from, format!("a token that had expired was used from {from}")).await?;
            return Err(JoinRefusal::Expired(found.expires_at));
        }
        Ok(found.host)
    }

    /// The host has joined and has this certificate, or somebody else was first. Refusals are noted.
    pub async fn settle(&self, host: &Host, secret: &str, joining: &Joining) -> Result<(), JoinRefusal> {
        let from = &joining.from;
        if self.database.use_join_token(&sha256(secret), joining).await? {
            self.note(host.id, HostEventKind::Joined, format!("the host joined from {from}")).await?;
            tracing::info!(host = %host.name, from, "the host has joined");
            return Ok(());
        }
        let Some(found) = self.database.find_join_token(&sha256(secret)).await? else { return Err(JoinRefusal::Unknown) };
        match (found.used_at, found.used_from) {
            (Some(at), Some(used_from)) => {
                let message =
                    format!("a token that was used at {} from {used_from} was used again from {from}", at.to_seconds_z());
                self.refuse(host, from, message).await?;
                Err(JoinRefusal::Used { at, from: used_from })
            }
            _ => Err(JoinRefusal::Expired(found.expires_at)),
        }
    }

    /// The host's next certificate is honoured beside the one that it shows. False: that one is void.
    pub async fn renew(&self, host: &Host, shown: &[u8; 32], next: &Certificate) -> Result<bool, HostError> {
        let stored = self.database.insert_certificate(host.id, shown, next).await?;
        if stored {
            let message = format!("the next certificate is honoured until {}", next.expires_at.to_seconds_z());
            self.note(host.id, HostEventKind::CertificateRenewed, message).await?;
            tracing::info!(host = %host.name, until = next.expires_at.to_seconds_z(), "the host's certificate was renewed");
        }
        Ok(stored)
    }

    /// Removes tokens that nobody needs to recognise any more.
    pub async fn purge(&self) -> cuttle_database::Result<u64> {
        let micros = i64::try_from(REMEMBERED.as_micros()).unwrap_or(i64::MAX);
        let before = Timestamp::from_micros(self.clock.now().as_micros().saturating_sub(micros));
        self.database.purge_join_tokens(before).await
    }

    async fn refuse(&self, host: &Host, from: &str, message: String) -> cuttle_database::Result<()> {
        tracing::warn!(host = %host.name, from, "joining was refused: {message}");
        metrics::counter!("cuttle_host_events_total", "kind" => HostEventKind::JoinRefused.as_str()).increment(1);
        self.note(host.id, HostEventKind::JoinRefused, message).await
    }

    async fn note(&self, host: HostId, kind: HostEventKind, message: String) -> cuttle_database::Result<()> {
        let event = HostEvent { id: self.ids.uuid(), at: self.clock.now(), kind, message };
        self.database.insert_host_event(host, &event).await
    }
}

fn sha256(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

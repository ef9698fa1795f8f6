//! The host's cephx key, as the hypervisor must hold it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cuttle_compute_protocol::{CephIdentity, secret_usage, secret_uuid};
use secrecy::{ExposeSecret, SecretSlice};
use uuid::Uuid;

/// A cephx key and the name under which guests' disks refer to it. It is never written anywhere by us.
#[derive(Clone)]
pub struct CephSecret {
    /// Known without asking anybody; see [`secret_uuid`].
    pub uuid: Uuid,
    /// What libvirt calls its usage: unique among all secrets of a host.
    pub usage: String,
    /// `client.cuttle.host1.1`.
    pub client: String,
    key: SecretSlice<u8>,
}

/// As whom guests that are started next reach their disks.
#[derive(Debug, Clone)]
pub enum CephAccess {
    /// The host's own client; its secret is ours to keep.
    Own(CephSecret),
    /// The client that the configuration names; its secret was made by hand and is never touched.
    Configured { client: String, secret: Uuid },
}

impl CephAccess {
    /// `client.cuttle.host1.1`.
    pub fn client(&self) -> &str {
        match self {
            Self::Own(secret) => &secret.client,
            Self::Configured { client, .. } => client,
        }
    }

    /// The UUID of the hypervisor's secret that holds the client's key.
    pub fn secret_uuid(&self) -> Uuid {
        match self {
            Self::Own(secret) => secret.uuid,
            Self::Configured { secret, .. } => *secret,
        }
    }
}

/// The key is not what Ceph writes.
#[derive(Debug, thiserror::Error)]
#[error("the cephx key of {client} is not valid base64")]
pub struct BadKey {
    /// Whose key.
    pub client: String,
}

impl CephSecret {
    /// The secret of this identity in this cluster.
    pub fn new(fsid: Uuid, identity: &CephIdentity) -> Result<Self, BadKey> {
        let bad = |_| BadKey { client: identity.client.clone() };
        let key = STANDARD.decode(identity.key.trim()).map_err(bad)?;
        Ok(Self {
            uuid: secret_uuid(fsid, &identity.client),
            usage: secret_usage(fsid, &identity.client),
            client: identity.client.clone(),
            key: key.into(),
        })
    }

    /// The key's bytes, for the hypervisor only.
    pub fn expose(&self) -> &[u8] {
        self.key.expose_secret()
    }
}

impl std::fmt::Debug for CephSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CephSecret").field("uuid", &self.uuid).field("client", &self.client).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_shows() {
        let identity = CephIdentity { client: "client.cuttle.h.1".to_owned(), key: "AQBzZWNyZXQ=".to_owned() };
        let secret = CephSecret::new(Uuid::from_u128(7), &identity).unwrap();
        let shown = format!("{secret:?}");
        assert!(!shown.contains("AQBz") && !shown.contains("secret\""), "{shown}");
        assert_eq!(secret.uuid, secret_uuid(Uuid::from_u128(7), "client.cuttle.h.1"));
    }

    #[test]
    fn a_bad_key_is_not_repeated_in_the_error() {
        let identity = CephIdentity { client: "client.x".to_owned(), key: "!hidden!".to_owned() };
        let error = CephSecret::new(Uuid::nil(), &identity).unwrap_err().to_string();
        assert!(error.contains("client.x") && !error.contains("hidden"), "{error}");
    }
}

//! Who this host is: its private key, made here, and the certificate that Cuttle's authority signed for it.
//!
//! Always true: key and certificate are one file that nobody but its owner may read, and it is the old
//! one or the new one, whole. The key is sent to nobody and shown in no error and no log.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cuttle_compute_protocol::Joined;
use cuttle_model::clock::Timestamp;
use cuttle_model::host::HostName;
use cuttle_model::ids::HostId;
use rcgen::{CertificateParams, KeyPair};
use serde::{Deserialize, Serialize};

use crate::state_dir::replace_file;

/// A host that has joined.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    pub host: HostName,
    pub host_id: HostId,
    /// PKCS #8, PEM.
    pub private_key: String,
    /// PEM.
    pub certificate: String,
    /// The certificate of the authority that control nodes' certificates are of, PEM.
    pub authority: String,
    pub expires_at: Timestamp,
    /// When the next certificate is asked for.
    pub renew_at: Timestamp,
    /// SHA-256 of the token with which the host joined, so that the same one is not used again.
    pub token_sha256: String,
}

/// A key that is to be certified, and the request that says so.
pub struct NewKey {
    /// PKCS #8, PEM.
    pub private_key: String,
    /// A certificate signing request, PEM.
    pub request: String,
}

/// The identity cannot be used. No key is named.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("cannot read {}: {source}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} is not what this program wrote there (line {line}); remove it, and join anew", .path.display())]
    Form { path: PathBuf, line: usize },
    #[error("cannot make a key: {0}")]
    Key(rcgen::Error),
}

impl Identity {
    /// The identity in this file, if there is one.
    pub fn load(path: &Path) -> Result<Option<Self>, IdentityError> {
        read_private(path)?.map(|text| parse(path, &text)).transpose()
    }

    /// Stores it in the place of an older one.
    pub fn store(&self, path: &Path) -> Result<(), IdentityError> {
        write_private(path, self)
    }

    /// The identity that follows from this answer.
    pub fn joined(host: HostName, key: NewKey, token_sha256: String, joined: Joined) -> Self {
        Self {
            host,
            host_id: joined.host_id,
            private_key: key.private_key,
            certificate: joined.certificate,
            authority: joined.authority,
            expires_at: joined.expires_at,
            renew_at: joined.renew_at,
            token_sha256,
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Identity");
        shown.field("host", &self.host).field("host_id", &self.host_id).field("expires_at", &self.expires_at);
        shown.finish_non_exhaustive()
    }
}

impl NewKey {
    /// A new key.
    pub fn make() -> Result<Self, IdentityError> {
        Self::with(&KeyPair::generate().map_err(IdentityError::Key)?)
    }

    /// A key that was made before.
    pub fn from_pem(private_key: &str) -> Result<Self, IdentityError> {
        Self::with(&KeyPair::from_pem(private_key).map_err(IdentityError::Key)?)
    }

    fn with(key: &KeyPair) -> Result<Self, IdentityError> {
        // What the certificate says is the control plane's business; the request carries the key alone.
        let request = CertificateParams::default().serialize_request(key).and_then(|request| request.pem());
        Ok(Self { private_key: key.serialize_pem(), request: request.map_err(IdentityError::Key)? })
    }
}

/// The text of a file, `None` where there is none.
pub fn read_private(path: &Path) -> Result<Option<String>, IdentityError> {
    let failed = |source| IdentityError::Read { path: path.to_owned(), source };
    let mode = match fs::metadata(path) {
        Ok(found) => found.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if mode & 0o077 != 0 {
        let text = format!("others than its owner may use it (mode {:03o}, expected 600)", mode & 0o777);
        return Err(failed(io::Error::other(text)));
    }
    fs::read_to_string(path).map(Some).map_err(failed)
}

/// Writes what its owner alone may read.
pub fn write_private<T: Serialize>(path: &Path, content: &T) -> Result<(), IdentityError> {
    let failed = |source| IdentityError::Write { path: path.to_owned(), source };
    let text = serde_json::to_vec_pretty(content).map_err(|error| failed(error.into()))?;
    replace_file(path, &text).map_err(failed)
}

/// Reads what [`write_private`] wrote; the error does not quote it.
pub fn parse<T: for<'de> Deserialize<'de>>(path: &Path, text: &str) -> Result<T, IdentityError> {
    serde_json::from_str(text).map_err(|error| IdentityError::Form { path: path.to_owned(), line: error.line() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        let joined = Joined {
            host_id: HostId::from_uuid(uuid::Uuid::nil()),
            certificate: "c".to_owned(),
            authority: "a".to_owned(),
            expires_at: Timestamp::from_micros(2),
            renew_at: Timestamp::from_micros(1),
        };
        Identity::joined("host1".parse().unwrap(), NewKey::make().unwrap(), "t".to_owned(), joined)
    }

    #[test]
    fn an_identity_is_read_as_it_was_written_by_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.json");
        assert!(Identity::load(&path).unwrap().is_none());
        let identity = identity();
        identity.store(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = Identity::load(&path).unwrap().unwrap();
        assert_eq!((read.private_key, read.expires_at), (identity.private_key, identity.expires_at));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Identity::load(&path).unwrap_err().to_string().contains("expected 600"));
    }

    #[test]
    fn a_key_shows_nowhere() {
        let identity = identity();
        let secret = identity.private_key.lines().nth(1).unwrap().to_owned();
        assert!(!format!("{identity:?}").contains(&secret));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.json");
        fs::write(&path, format!("{{\"host\": \"{secret}!\"}}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = Identity::load(&path).unwrap_err().to_string();
        assert!(error.contains("identity.json") && !error.contains(&secret), "{error}");
    }

    #[test]
    fn the_same_key_makes_the_same_public_key() {
        let first = NewKey::make().unwrap();
        let again = NewKey::from_pem(&first.private_key).unwrap();
        assert_eq!(first.private_key, again.private_key);
        assert!(first.request.contains("CERTIFICATE REQUEST") && !first.request.contains("PRIVATE"));
    }
}

//! Joining: how a host that has a token gets its certificate.
//!
//! ```text
//!   token file ─► make a key, keep it ─► ask a control node ─► keep the certificate ─► remove the token file
//! ```
//! Always true: the key is on the disk before the token is used, so that an answer that was lost can be
//! asked for again with the same key, and with no other; the token is sent only to a control node of the
//! authority that it names, and is removed when it has done its work.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use cuttle_compute_protocol::{Join, JoinToken, Joined, VERSION, path};
use cuttle_model::clock::Clock;
use cuttle_model::host::HostName;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::control::{Backoff, LinkError, chance, dial_to_join};
use crate::identity::{Identity, IdentityError, NewKey, parse, read_private, write_private};
use crate::state_dir::StateDir;

/// What joining works with.
pub struct Joiner<'a> {
    pub host: &'a HostName,
    /// Control nodes; they are tried in turn.
    pub control: &'a [String],
    pub token_file: PathBuf,
    pub state: &'a StateDir,
    /// For connecting, and for the exchange.
    pub timeout: Duration,
    pub clock: &'a dyn Clock,
}

/// Why the host is not part of a cloud.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("this host has not joined: there is neither a certificate in {} nor a token in {}. `cuttle host add {host}` prints a token; put it there, for its owner alone to read (mode 600)", .identity.display(), .token_file.display())]
    NotJoined { host: HostName, identity: PathBuf, token_file: PathBuf },
    #[error("the host's certificate in {} expired at {at}: it was off for too long. `cuttle host rejoin {host}` prints a token; put it in {}, for its owner alone to read (mode 600), and start the agent again", .identity.display(), .token_file.display())]
    Expired { host: HostName, identity: PathBuf, at: String, token_file: PathBuf },
    #[error("the certificate in {} is that of host {certified}, and the configuration says {configured}", .identity.display())]
    OtherHost { identity: PathBuf, certified: HostName, configured: HostName },
    #[error("cannot use the token in {}: {reason}", .path.display())]
    Token { path: PathBuf, reason: String },
    #[error("joining was refused: {0}")]
    Refused(LinkError),
}

/// The key of a host that joins, until it has joined.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JoiningKey {
    /// The token that it is for.
    token_sha256: String,
    private_key: String,
}

impl Joiner<'_> {
    /// The host's identity: the one that it has, or the one that its token gets it. Waits for a control
    /// node as long as none answers.
    pub async fn obtain(&self) -> Result<Identity, JoinError> {
        let path = self.state.identity();
        let known = Identity::load(&path)?;
        if let Some(known) = &known
            && known.host != *self.host
        {
            let (certified, configured) = (known.host.clone(), self.host.clone());
            return Err(JoinError::OtherHost { identity: path, certified, configured });
        }
        let Some(token) = self.token()? else {
            let (host, identity, token_file) = (self.host.clone(), path, self.token_file.clone());
            return match known {
                Some(known) if known.expires_at < self.clock.now() => {
                    Err(JoinError::Expired { host, identity, at: known.expires_at.to_seconds_z(), token_file })
                }
                Some(known) => Ok(known),
                None => Err(JoinError::NotJoined { host, identity, token_file }),
            };
        };
        match known {
            Some(known) if known.token_sha256 == sha256(&token) => {
                self.remove_token();
                Ok(known)
            }
            // A token beside a certificate: somebody wants the host to join anew.
            Some(known) => match self.join(&token).await {
                Err(JoinError::Refused(error)) => {
                    tracing::warn!(token_file = %self.token_file.display(), %error,
                        "joining anew was refused; the host goes on with the certificate that it has");
                    Ok(known)
                }
                done => done,
            },
            None => self.join(&token).await,
        }
    }

    async fn join(&self, token: &JoinToken) -> Result<Identity, JoinError> {
        let key = self.key(token)?;
        let mut backoff = Backoff::default();
        for url in self.control.iter().cycle() {
            match self.ask(url, token, &key).await {
                Ok(joined) => {
                    let identity = Identity::joined(self.host.clone(), key, sha256(token), joined);
                    identity.store(&self.state.identity())?;
                    remove(&self.state.joining_key());
                    self.remove_token();
                    tracing::info!(host_id = %identity.host_id, until = identity.expires_at.to_seconds_z(), "the host has joined");
                    return Ok(identity);
                }
                Err(error) if error.is_refusal() => return Err(JoinError::Refused(error)),
                Err(error) => tracing::warn!(url, %error, "cannot join yet"),
            }
            tokio::time::sleep(backoff.next(chance())).await;
        }
        // Unreachable with a control node, and the configuration names one.
        Err(JoinError::Token { path: self.token_file.clone(), reason: "no control node is known".to_owned() })
    }

    async fn ask(&self, url: &str, token: &JoinToken, key: &NewKey) -> Result<Joined, LinkError> {
        let link = dial_to_join(url, token.authority_sha256, self.timeout).await?;
        let join =
            Join { protocol: VERSION, host: self.host.clone(), secret: token.secret().to_owned(), request: key.request.clone() };
        link.post(path::JOIN, &join).await
    }

    /// The key for this token: the one that was made for it, or a new one, which is then kept.
    fn key(&self, token: &JoinToken) -> Result<NewKey, JoinError> {
        let path = self.state.joining_key();
        let kept: Option<JoiningKey> = read_private(&path)?.map(|text| parse(&path, &text)).transpose()?;
        let token_sha256 = sha256(token);
        if let Some(kept) = kept.filter(|kept| kept.token_sha256 == token_sha256) {
            return Ok(NewKey::from_pem(&kept.private_key)?);
        }
        let key = NewKey::make()?;
        write_private(&path, &JoiningKey { token_sha256, private_key: key.private_key.clone() })?;
        Ok(key)
    }

    fn token(&self) -> Result<Option<JoinToken>, JoinError> {
        let bad = |reason: String| JoinError::Token { path: self.token_file.clone(), reason };
        match read_private(&self.token_file) {
            Ok(None) => Ok(None),
            Ok(Some(text)) => JoinToken::from_str(text.trim()).map(Some).map_err(|error| bad(error.to_string())),
            Err(IdentityError::Read { source, .. }) => Err(bad(source.to_string())),
            Err(error) => Err(error.into()),
        }
    }

    fn remove_token(&self) {
        remove(&self.token_file);
    }
}

/// It has done its work; that it is still there does no harm but to say so.
fn remove(path: &std::path::Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "cannot remove a file that has done its work");
    }
}

fn sha256(token: &JoinToken) -> String {
    Sha256::digest(token.secret().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use cuttle_model::clock::{SystemClock, Timestamp};
    use cuttle_model::ids::HostId;

    use super::*;

    async fn obtain(directory: &std::path::Path, token: Option<(&str, u32)>) -> String {
        let token_file = directory.join("token");
        if let Some((text, mode)) = token {
            fs::write(&token_file, text).unwrap();
            fs::set_permissions(&token_file, fs::Permissions::from_mode(mode)).unwrap();
        }
        let state = StateDir::open(&directory.join("state")).unwrap();
        let host = "host1".parse().unwrap();
        let control = ["http://not-tls".to_owned()];
        let timeout = Duration::from_secs(1);
        let joiner = Joiner { host: &host, control: &control, token_file, state: &state, timeout, clock: &SystemClock };
        joiner.obtain().await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_host_with_neither_token_nor_certificate_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let error = obtain(directory.path(), None).await;
        for part in ["has not joined", "identity.json", "token", "cuttle host add host1", "600"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[tokio::test]
    async fn a_host_whose_certificate_has_expired_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(&directory.path().join("state")).unwrap();
        let joined = Joined {
            host_id: HostId::from_uuid(uuid::Uuid::nil()),
            certificate: "a certificate".into(),
            authority: "an authority".into(),
            renew_at: Timestamp::from_micros(1),
            expires_at: Timestamp::from_micros(2),
        };
        let identity = Identity::joined("host1".parse().unwrap(), NewKey::make().unwrap(), String::new(), joined);
        identity.store(&state.identity()).unwrap();
        let error = obtain(directory.path(), None).await;
        for part in ["expired at 1970-01-01T00:00:00Z", "cuttle host rejoin host1", "token"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[tokio::test]
    async fn a_token_that_others_may_read_or_that_is_none_is_refused_and_not_repeated() {
        let directory = tempfile::tempdir().unwrap();
        let token = JoinToken::new([0x5e; 32], [0; 32]).expose();
        for mode in [0o644, 0o640, 0o604] {
            let error = obtain(directory.path(), Some((&token, mode))).await;
            assert!(error.contains("expected 600") && !error.contains("5e5e"), "{error}");
        }
        let error = obtain(directory.path(), Some(("s3cret", 0o600))).await;
        assert!(error.contains("cuttle host add") && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn the_key_for_a_token_is_kept_until_another_token_comes() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        let host = "host1".parse().unwrap();
        let joiner = Joiner {
            host: &host,
            control: &[],
            token_file: directory.path().join("token"),
            state: &state,
            timeout: Duration::from_secs(1),
            clock: &SystemClock,
        };
        let (one, other) = (JoinToken::new([1; 32], [0; 32]), JoinToken::new([2; 32], [0; 32]));
        let first = joiner.key(&one).unwrap().private_key;
        assert_eq!(joiner.key(&one).unwrap().private_key, first);
        assert_ne!(joiner.key(&other).unwrap().private_key, first);
        assert_eq!(fs::metadata(state.joining_key()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

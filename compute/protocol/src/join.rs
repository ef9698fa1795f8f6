//! How a host joins: with a token that works once it proves who it is, and is given a certificate.
//!
//! Always true: a host's private key is made on the host and never leaves it; a token's secret is sent
//! only to a control node whose authority the token names, and is never shown.

use std::fmt;
use std::str::FromStr;

use cuttle_model::clock::Timestamp;
use cuttle_model::host::HostName;
use cuttle_model::ids::HostId;
use serde::{Deserialize, Serialize};

/// What a token begins with; another form would begin otherwise.
const FORM: &str = "cuttle1";
/// The characters of a secret and of a fingerprint: 32 bytes in hexadecimal.
const HEX: usize = 64;

/// What `host add` prints: a secret, and by which authority control nodes are known.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    secret: String,
    /// SHA-256 of the authority's certificate (its DER).
    pub authority_sha256: [u8; 32],
}

/// The text is no join token. It is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not what `cuttle host add` prints, which is {FORM}.<64 hex digits>.<64 hex digits>")]
pub struct BadJoinToken;

impl JoinToken {
    /// A token of 32 random bytes.
    pub fn new(random: [u8; 32], authority_sha256: [u8; 32]) -> Self {
        Self { secret: hex(&random), authority_sha256 }
    }

    /// The secret half: what is sent, and what is stored as its SHA-256.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The whole text, for whoever carries it to the host.
    pub fn expose(&self) -> String {
        format!("{FORM}.{}.{}", self.secret, hex(&self.authority_sha256))
    }
}

impl FromStr for JoinToken {
    type Err = BadJoinToken;

    fn from_str(text: &str) -> Result<Self, BadJoinToken> {
        let parts: Vec<&str> = text.split('.').collect();
        let [FORM, secret, authority] = parts[..] else { return Err(BadJoinToken) };
        bytes(secret).ok_or(BadJoinToken)?;
        Ok(Self { secret: secret.to_owned(), authority_sha256: bytes(authority).ok_or(BadJoinToken)? })
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("authority_sha256", &hex(&self.authority_sha256)).finish_non_exhaustive()
    }
}

/// A host asks to join. The answer is [`Joined`].
#[derive(Clone, Serialize, Deserialize)]
pub struct Join {
    /// [`crate::VERSION`] of the agent.
    pub protocol: u32,
    pub host: HostName,
    /// [`JoinToken::secret`].
    pub secret: String,
    /// A certificate signing request (PEM): the host's public key, signed with its private key.
    pub request: String,
}

impl fmt::Debug for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("host", &self.host).finish_non_exhaustive()
    }
}

/// A host that has a certificate asks for the next one, for a new key. The answer is [`Joined`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Renew {
    /// As in [`Join`].
    pub request: String,
}

/// The host's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    pub host_id: HostId,
    /// PEM.
    pub certificate: String,
    /// The authority's certificate, PEM.
    pub authority: String,
    pub expires_at: Timestamp,
    /// When the host asks for the next one.
    pub renew_at: Timestamp,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != HEX || !digits.iter().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(digit)) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_printed_and_shows_no_secret() {
        let token = JoinToken::new([0xab; 32], [0x01; 32]);
        assert_eq!(token.expose().parse::<JoinToken>().unwrap(), token);
        assert!(!format!("{token:?}").contains("abab"), "{token:?}");
        let join = Join { protocol: 1, host: "h".parse().unwrap(), secret: token.secret().to_owned(), request: String::new() };
        assert!(!format!("{join:?}").contains("abab"), "{join:?}");
    }

    #[test]
    fn other_texts_are_refused_and_not_repeated() {
        let token = JoinToken::new([0xab; 32], [0x01; 32]).expose();
        let texts = [
            String::new(),
            "secret".to_owned(),
            token.replace("cuttle1", "cuttle2"),
            token.to_uppercase(),
            format!("{token}.x"),
            token.replace('b', "ä"),
            token[..token.len() - 1].to_owned(),
        ];
        for text in texts {
            let error = text.parse::<JoinToken>().unwrap_err().to_string();
            assert!(!error.contains("abab"), "{error}");
        }
    }
}

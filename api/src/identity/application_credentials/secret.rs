//! The secrets of application credentials. One that we made is random, and its SHA-256 is as good as any
//! hash; one that a person has chosen is hashed like a password.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::error::ApiError;
use crate::identity::passwords::Passwords;

const FAST: &str = "sha256:";

/// A new secret of 48 random bytes.
pub fn random() -> SecretString {
    SecretString::from(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 48]>()))
}

/// What is stored of a secret that [`random`] made.
pub fn fast_hash(secret: &SecretString) -> String {
    format!("{FAST}{}", URL_SAFE_NO_PAD.encode(Sha256::digest(secret.expose_secret().as_bytes())))
}

/// Is this the secret of the hash, of either kind? Without a hash it is not.
pub async fn verify(passwords: &Passwords, secret: SecretString, hash: Option<String>) -> Result<bool, ApiError> {
    match hash {
        None => Ok(false),
        // Digests are compared, not secrets: how far they agree tells nothing.
        Some(hash) if hash.starts_with(FAST) => Ok(fast_hash(&secret) == hash),
        slow => passwords.verify(secret, slow).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_kinds_are_told_apart_and_checked() {
        let passwords = Passwords::new();
        let (ours, theirs) = (random(), SecretString::from("chosen by a person"));
        let hashes = [fast_hash(&ours), passwords.hash(theirs.clone()).await.unwrap()];
        for (secret, right) in [(ours, 0), (theirs, 1)] {
            for (index, hash) in hashes.iter().enumerate() {
                assert_eq!(verify(&passwords, secret.clone(), Some(hash.clone())).await.unwrap(), index == right);
            }
            assert!(!verify(&passwords, secret, None).await.unwrap());
        }
    }
}

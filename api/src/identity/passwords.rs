//! Passwords: argon2id, on a bounded number of threads, in the same time whether the user exists or not.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, PasswordHash};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// A hash of nothing that anybody knows: what the password of an unknown user is compared with.
/// Its parameters are the ones that new hashes have.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5aGFzdGhpcw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// How many requests may wait for their turn. More are sent away at once.
const WAITING: usize = 256;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest password, in bytes. More is not compared, so that nobody makes us hash megabytes.
pub const MAX_BYTES: usize = 4096;

/// Hashes and compares passwords. Cloning is cheap.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// How many may wait for their turn.
    places: Arc<Semaphore>,
}

impl Passwords {
    /// Works on half as many at a time as there are processors: each takes one, and 19 MiB of memory, and
    /// requests that need no password shall not notice.
    pub fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let turns = Arc::new(Semaphore::new((processors / 2).max(1)));
        Self { turns, places: Arc::new(Semaphore::new(WAITING)) }
    }

    /// The hash to store for a new password.
    pub async fn hash(&self, password: SecretString) -> Result<String, ApiError> {
        let hashed = self.run(move || hash(&password)).await?;
        hashed.map_err(|error| ApiError::Internal(error.to_string().into()))
    }

    /// Is this the password of the hash? Without a hash (no such user) it is not, and that takes as long.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool, ApiError> {
        self.run(move || {
            let is_same = compare(&password, hash.as_deref().filter(|hash| !hash.is_empty()).unwrap_or(NOBODY));
            is_same && hash.is_some()
        })
        .await
    }

    /// Does slow work on a thread of its own, when it is its turn.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let busy = || ApiError::Unavailable { what: "The password check", source: "too many at once".into() };
        let place = self.places.clone().try_acquire_owned().map_err(|_| busy())?;
        let turn = tokio::time::timeout(PATIENCE, self.turns.clone().acquire_owned()).await.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            let _held = (place, turn);
            work()
        });
        done.await.map_err(|error| ApiError::Internal(Box::new(error)))
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

/// The hash to store for a password, with a salt of its own. Slow on purpose.
pub fn hash(password: &SecretString) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default().hash_password(password.expose_secret().as_bytes())?.to_string())
}

/// Slow on purpose.
pub fn compare(password: &SecretString, hash: &str) -> bool {
    let password = password.expose_secret().as_bytes();
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    let is_same = Argon2::default().verify_password(&password[..password.len().min(MAX_BYTES)], &hash).is_ok();
    is_same && password.len() <= MAX_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_user_who_exists_passes() {
        let right = SecretString::from("a password");
        let stored = hash(&right).unwrap();
        let passwords = Passwords::new();
        assert!(passwords.verify(right.clone(), Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify(SecretString::from("another"), Some(stored)).await.unwrap());
        assert!(!passwords.verify(right, None).await.unwrap());
    }

    #[test]
    fn an_unknown_user_costs_as_much_as_a_known_one() {
        let cost = |text: &str| text.split('$').nth(3).map(str::to_owned);
        let real = hash(&SecretString::from("x")).unwrap();
        assert_eq!(cost(&real), cost(NOBODY));
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let real = PasswordHash::new(&real).unwrap();
        assert_eq!(nobody.hash.unwrap().len(), real.hash.unwrap().len());
        assert!(!compare(&SecretString::from(""), NOBODY));
    }
}

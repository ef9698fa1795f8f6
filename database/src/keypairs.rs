//! Keypairs: users' public keys.

use async_trait::async_trait;
use cuttle_model::ids::UserId;
use cuttle_model::keypair::Keypair;

use crate::Result;
use crate::quotas::QuotaScope;

/// What is known of keypairs.
#[async_trait]
pub trait Keypairs {
    /// Inserts a keypair, if its user has fewer than `quota` allows; they are counted in the same
    /// transaction.
    async fn insert_keypair(&self, keypair: &Keypair, quota: &QuotaScope) -> Result<KeypairInsertion>;

    /// A user's keypair, with its number.
    async fn get_keypair(&self, user: UserId, name: &str) -> Result<Option<(i64, Keypair)>>;

    /// A user's keypairs by name, beginning after `marker`.
    async fn list_keypairs(&self, user: UserId, marker: Option<&str>, limit: Option<u32>) -> Result<Vec<Keypair>>;

    /// How many a user has.
    async fn count_keypairs(&self, user: UserId) -> Result<i64>;

    /// False: there was none.
    async fn delete_keypair(&self, user: UserId, name: &str) -> Result<bool>;
}

/// What became of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeypairInsertion {
    Inserted,
    /// The user has one of that name.
    SameName,
    /// The user has as many as may be.
    OverQuota,
}

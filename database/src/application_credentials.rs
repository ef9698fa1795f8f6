//! Application credentials: secrets for programs.

use async_trait::async_trait;
use cuttle_model::identity::ApplicationCredential;
use cuttle_model::ids::{ApplicationCredentialId, UserId};

use crate::Result;

/// Application credentials of users. They go with their user and with their project; the tokens that
/// were made with one go with it.
#[async_trait]
pub trait ApplicationCredentials {
    async fn insert_application_credential(
        &self,
        credential: &ApplicationCredential,
        secret_hash: &str,
    ) -> Result<CredentialInserted>;
    /// One with the hash of its secret.
    async fn get_application_credential(&self, id: ApplicationCredentialId) -> Result<Option<(ApplicationCredential, String)>>;
    /// One of a user, with the hash of its secret.
    async fn find_application_credential(&self, user: UserId, name: &str) -> Result<Option<(ApplicationCredential, String)>>;
    /// A user's, by name.
    async fn list_application_credentials(&self, user: UserId) -> Result<Vec<ApplicationCredential>>;
    /// Removes one and voids its tokens at once; false if there was none.
    async fn delete_application_credential(&self, id: ApplicationCredentialId) -> Result<bool>;
}

/// What became of an insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialInserted {
    Inserted,
    /// The user has one of that name.
    SameName,
    /// The user or the project went meanwhile.
    NoOwner,
}

//! Users, projects, role assignments, tokens.

use async_trait::async_trait;
use cuttle_model::clock::Timestamp;
use cuttle_model::identity::{Project, Role, TokenGrant, User};
use cuttle_model::ids::{ProjectId, UserId};

use crate::Result;
use crate::flavors::Inserted;

/// Who exists and what they may do. Passwords are kept as argon2 hashes, tokens as SHA-256.
#[async_trait]
pub trait Identity {
    async fn insert_project(&self, project: &Project) -> Result<Inserted>;
    async fn get_project(&self, id: ProjectId) -> Result<Option<Project>>;
    async fn find_project(&self, name: &str) -> Result<Option<Project>>;
    /// All projects by name.
    async fn list_projects(&self) -> Result<Vec<Project>>;
    /// The projects in which a user has a role, by name.
    async fn projects_of(&self, user: UserId) -> Result<Vec<Project>>;

    async fn insert_user(&self, user: &User, password_hash: &str) -> Result<Inserted>;
    /// A user with the hash of the password.
    async fn get_credentials(&self, id: UserId) -> Result<Option<Credentials>>;
    /// A user with the hash of the password.
    async fn find_credentials(&self, name: &str) -> Result<Option<Credentials>>;
    async fn set_password(&self, user: UserId, password_hash: &str) -> Result<bool>;
    /// All users by name.
    async fn list_users(&self) -> Result<Vec<User>>;

    /// Gives a user a role in a project; giving it again changes nothing.
    async fn assign_role(&self, user: UserId, project: ProjectId, role: Role) -> Result<()>;
    /// The most powerful role of a user in a project.
    async fn role_in(&self, user: UserId, project: ProjectId) -> Result<Option<Role>>;

    async fn insert_token(&self, token_sha256: &[u8; 32], grant: &TokenGrant) -> Result<()>;
    /// What a token grants at `now`: not if it has expired, if its user or project is disabled or
    /// gone, or if the user has lost the role. One query.
    async fn get_token(&self, token_sha256: &[u8; 32], now: Timestamp) -> Result<Option<TokenGrant>>;
    /// Revokes a token; false if there was none.
    async fn delete_token(&self, token_sha256: &[u8; 32]) -> Result<bool>;
    /// Removes tokens that expired before `now`; answers how many.
    async fn purge_tokens(&self, now: Timestamp) -> Result<u64>;

    /// A value that all control nodes share (such as the cloud's id); the first one that is stored stands.
    async fn get_or_insert_setting(&self, key: &str, value: &str) -> Result<String>;
}

/// A user and the hash of the password, in argon2's own text form.
#[derive(Clone)]
pub struct Credentials {
    pub user: User,
    pub password_hash: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).field("password_hash", &"[hidden]").finish()
    }
}

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
    /// Changes what is given. A project that is disabled loses its tokens at once.
    async fn update_project(&self, id: ProjectId, change: &ProjectChange) -> Result<Updated<Project>>;
    /// Removes a project that owns no instance and no image, with its assignments, tokens and
    /// application credentials.
    async fn delete_project(&self, id: ProjectId) -> Result<ProjectDeleted>;
    /// The projects in which a user has a role, by name.
    async fn projects_of(&self, user: UserId) -> Result<Vec<Project>>;

    async fn insert_user(&self, user: &User, password_hash: &str) -> Result<Inserted>;
    /// A user with the hash of the password.
    async fn get_credentials(&self, id: UserId) -> Result<Option<Credentials>>;
    /// A user with the hash of the password.
    async fn find_credentials(&self, name: &str) -> Result<Option<Credentials>>;
    /// Changes the password and voids all tokens that the old one gave; false if there is no such user.
    async fn set_password(&self, user: UserId, password_hash: &str) -> Result<bool>;
    /// Changes what is given. A user who is disabled, or gets another password, loses all tokens at once.
    async fn update_user(&self, id: UserId, change: &UserChange) -> Result<Updated<User>>;
    /// Removes a user with assignments, tokens and application credentials; false if there was none.
    async fn delete_user(&self, id: UserId) -> Result<bool>;
    /// All users by name.
    async fn list_users(&self) -> Result<Vec<User>>;

    /// Gives a user a role in a project; giving it again changes nothing.
    async fn assign_role(&self, user: UserId, project: ProjectId, role: Role) -> Result<()>;

    /// False if what it refers to went meanwhile.
    async fn insert_token(&self, token_sha256: &[u8; 32], grant: &TokenGrant) -> Result<bool>;
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

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Updated<T> {
    /// What it is now.
    Done(T),
    Missing,
    /// Another one has that name.
    SameName,
}

/// What became of a project that was to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectDeleted {
    Done,
    Missing,
    /// It still owns something.
    InUse {
        instances: u64,
        images: u64,
    },
}

/// What of a project is to change.
#[derive(Debug, Clone, Default)]
pub struct ProjectChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub enabled: Option<bool>,
}

/// What of a user is to change; the inner `None` is nothing at all instead of what was.
#[derive(Clone, Default)]
pub struct UserChange {
    pub name: Option<String>,
    pub enabled: Option<bool>,
    pub default_project_id: Option<Option<ProjectId>>,
    pub description: Option<Option<String>>,
    pub email: Option<Option<String>>,
    pub password_hash: Option<String>,
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

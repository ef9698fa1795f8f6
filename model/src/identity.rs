//! Who asks: users, projects, roles, tokens.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{ProjectId, RoleId, UserId};

/// The id of the one domain that exists. Keystone writes it as a word, and clients rely on that.
pub const DEFAULT_DOMAIN: &str = "default";
/// Its name.
pub const DEFAULT_DOMAIN_NAME: &str = "Default";

/// A project: what owns instances and images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    pub description: String,
    pub enabled: bool,
}

/// A user. The password's hash stays in the database layer and is asked for by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub name: String,
    pub enabled: bool,
    pub default_project_id: Option<ProjectId>,
}

/// What a user may do in a project. Each role holds those below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Reader,
    Member,
    Manager,
    Admin,
}

impl Role {
    /// From the least to the most powerful.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Member, Self::Manager, Self::Admin];

    /// The role's name, on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Member => "member",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// The role's id, the same in every cloud: it names a constant of the program.
    pub fn id(self) -> RoleId {
        RoleId::from_uuid(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("cuttle role {}", self.as_str()).as_bytes()))
    }

    /// This role and those that it holds, the most powerful first.
    pub fn implied(self) -> Vec<Role> {
        Self::ALL.into_iter().rev().filter(|role| *role <= self).collect()
    }
}

/// What a valid token says. The token itself is never stored, only its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenGrant {
    pub user: User,
    /// `None` for an unscoped token.
    pub project: Option<Project>,
    /// The most powerful role; `None` for an unscoped token.
    pub role: Option<Role>,
    /// Of this token, for audit; not secret.
    pub audit_id: String,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

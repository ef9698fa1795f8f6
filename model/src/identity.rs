//! Who asks: users, projects, roles, tokens.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{ApplicationCredentialId, ProjectId, RoleId, UserId};

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
    pub description: Option<String>,
    pub email: Option<String>,
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

/// A role that an administrator made. It gives no power here: it is for other services that read tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomRole {
    pub id: RoleId,
    pub name: String,
    pub description: Option<String>,
}

/// A role that can be assigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnyRole {
    Known(Role),
    Custom(CustomRole),
}

impl AnyRole {
    pub fn id(&self) -> RoleId {
        match self {
            Self::Known(role) => role.id(),
            Self::Custom(role) => role.id,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Known(role) => role.as_str(),
            Self::Custom(role) => &role.name,
        }
    }
}

/// The most powerful of the known roles among these, and the others.
pub fn powers(roles: impl IntoIterator<Item = AnyRole>) -> (Option<Role>, Vec<CustomRole>) {
    let (mut most, mut custom) = (None, Vec::new());
    for role in roles {
        match role {
            AnyRole::Known(role) => most = most.max(Some(role)),
            AnyRole::Custom(role) => custom.push(role),
        }
    }
    (most, custom)
}

/// That a user has a role in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub user_id: UserId,
    pub user_name: String,
    pub project_id: ProjectId,
    pub project_name: String,
    pub role: AnyRole,
}

/// A secret with which a program acts as a user in one project, with some of the user's roles. Only the
/// secret's hash is stored, and asked for by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationCredential {
    pub id: ApplicationCredentialId,
    pub user_id: UserId,
    pub project_id: ProjectId,
    /// Unique among the user's.
    pub name: String,
    pub description: Option<String>,
    /// As they were named when it was made.
    pub roles: Vec<AnyRole>,
    pub expires_at: Option<Timestamp>,
    /// Whether it may be used to make and delete application credentials.
    pub may_delegate: bool,
    pub created_at: Timestamp,
}

impl ApplicationCredential {
    /// What a token says of it.
    pub fn in_token(&self) -> TokenCredential {
        TokenCredential { id: self.id, name: self.name.clone(), may_delegate: self.may_delegate }
    }
}

/// How a token's holder showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    Password,
    Token,
    ApplicationCredential,
}

impl AuthMethod {
    const ALL: [Self; 3] = [Self::Password, Self::Token, Self::ApplicationCredential];

    /// Keystone's word, also in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Token => "token",
            Self::ApplicationCredential => "application_credential",
        }
    }

    /// The method of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == word)
    }
}

/// The application credential that a token was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCredential {
    pub id: ApplicationCredentialId,
    pub name: String,
    pub may_delegate: bool,
}

/// What a valid token says. The token itself is never stored, only its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenGrant {
    pub user: User,
    /// `None` for an unscoped token.
    pub project: Option<Project>,
    /// The most powerful role; `None` for an unscoped token, and for one with custom roles only.
    pub role: Option<Role>,
    /// The custom roles that the user has in the project now.
    pub custom_roles: Vec<CustomRole>,
    /// What was shown for it, the first first.
    pub methods: Vec<AuthMethod>,
    /// What it was made with, if that was an application credential: it never reaches further than that.
    pub application_credential: Option<TokenCredential>,
    /// Of this token, for audit; not secret.
    pub audit_id: String,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

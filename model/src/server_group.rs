//! Server groups: instances of a project that are to be together, or apart.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{ProjectId, ServerGroupId, UserId};

/// A server group. Its members are the instances that were created with it as a hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerGroup {
    pub id: ServerGroupId,
    pub project_id: ProjectId,
    pub user_id: UserId,
    pub name: String,
    pub policy: GroupPolicy,
    /// With anti-affinity: how many members one host may have; 1 where it is not said.
    pub max_per_host: Option<u32>,
    pub created_at: Timestamp,
}

/// What a group's members want of each other's hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupPolicy {
    /// All on one host.
    Affinity,
    /// No more than a few on one host.
    AntiAffinity,
    /// Together if it can be.
    SoftAffinity,
    /// Apart if it can be.
    SoftAntiAffinity,
}

impl GroupPolicy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Affinity, Self::AntiAffinity, Self::SoftAffinity, Self::SoftAntiAffinity];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Affinity => "affinity",
            Self::AntiAffinity => "anti-affinity",
            Self::SoftAffinity => "soft-affinity",
            Self::SoftAntiAffinity => "soft-anti-affinity",
        }
    }

    /// The policy of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == word)
    }
}

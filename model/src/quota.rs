//! Quotas: how much of the cloud a project, or a user in it, may have.
//!
//! The limit that holds is the most particular one: the user's in the project, then the project's, then
//! that of all projects (Nova's quota class `default`), then the configuration's.

use serde::{Deserialize, Serialize};

/// What is limited: Nova's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    Instances,
    /// Virtual CPUs.
    Cores,
    /// Memory in MiB.
    Ram,
    /// Of one instance.
    MetadataItems,
    /// Of one user.
    KeyPairs,
    ServerGroups,
    ServerGroupMembers,
    InjectedFiles,
    InjectedFileContentBytes,
    InjectedFilePathBytes,
    FixedIps,
    FloatingIps,
    SecurityGroups,
    SecurityGroupRules,
}

/// No limit.
pub const UNLIMITED: i64 = -1;

impl Resource {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Instances,
        Self::Cores,
        Self::Ram,
        Self::MetadataItems,
        Self::KeyPairs,
        Self::ServerGroups,
        Self::ServerGroupMembers,
        Self::InjectedFiles,
        Self::InjectedFileContentBytes,
        Self::InjectedFilePathBytes,
        Self::FixedIps,
        Self::FloatingIps,
        Self::SecurityGroups,
        Self::SecurityGroupRules,
    ];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instances => "instances",
            Self::Cores => "cores",
            Self::Ram => "ram",
            Self::MetadataItems => "metadata_items",
            Self::KeyPairs => "key_pairs",
            Self::ServerGroups => "server_groups",
            Self::ServerGroupMembers => "server_group_members",
            Self::InjectedFiles => "injected_files",
            Self::InjectedFileContentBytes => "injected_file_content_bytes",
            Self::InjectedFilePathBytes => "injected_file_path_bytes",
            Self::FixedIps => "fixed_ips",
            Self::FloatingIps => "floating_ips",
            Self::SecurityGroups => "security_groups",
            Self::SecurityGroupRules => "security_group_rules",
        }
    }

    /// The resource of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.as_str() == word)
    }

    fn index(self) -> usize {
        Self::ALL.iter().position(|resource| *resource == self).unwrap_or(0)
    }
}

/// A number for each resource: limits (where [`UNLIMITED`] is none) or what is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts([i64; Resource::ALL.len()]);

impl Amounts {
    /// The same number for all.
    pub const fn all(amount: i64) -> Self {
        Self([amount; Resource::ALL.len()])
    }

    pub fn get(&self, resource: Resource) -> i64 {
        self.0[resource.index()]
    }

    pub fn set(&mut self, resource: Resource, amount: i64) {
        self.0[resource.index()] = amount;
    }

    /// These with that one changed.
    #[must_use]
    pub fn with(mut self, resource: Resource, amount: i64) -> Self {
        self.set(resource, amount);
        self
    }
}

/// One limit that a request would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excess {
    pub resource: Resource,
    pub requested: i64,
    pub used: i64,
    pub limit: i64,
}

/// Would `requested` more exceed the limit?
pub fn excess(resource: Resource, requested: i64, used: i64, limit: i64) -> Option<Excess> {
    (limit != UNLIMITED && used.saturating_add(requested) > limit).then_some(Excess { resource, requested, used, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resource_has_an_amount_of_its_own() {
        let amounts = Resource::ALL.into_iter().zip(1..).fold(Amounts::all(0), |all, (resource, n)| all.with(resource, n));
        for (resource, n) in Resource::ALL.into_iter().zip(1..) {
            assert_eq!(amounts.get(resource), n);
            assert_eq!(Resource::from_word(resource.as_str()), Some(resource));
        }
    }

    #[test]
    fn a_limit_may_be_reached_but_not_exceeded() {
        let over = |requested, used, limit| excess(Resource::Cores, requested, used, limit).is_some();
        assert!(!over(2, 18, 20) && over(3, 18, 20));
        assert!(!over(i64::MAX, 5, UNLIMITED) && over(1, 0, 0) && over(i64::MAX, 5, i64::MAX - 1));
    }
}

//! Quotas: limits that were set, and what is used of them.
//!
//! What is counted is counted in the transaction that uses it, and such transactions of one project come
//! one after another, so that many at once never exceed a limit together.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cuttle_model::flavor::Flavor;
use cuttle_model::ids::{ProjectId, UserId};
use cuttle_model::quota::{Amounts, Resource};

use crate::Result;

/// Limits and usage.
#[async_trait]
pub trait Quotas {
    /// The limits that hold for a scope.
    async fn get_quota(&self, scope: &QuotaScope) -> Result<Limits>;

    /// The limits of all projects for which none is set.
    async fn get_default_quota(&self, configured: Amounts) -> Result<Amounts>;

    /// Sets limits of all projects.
    async fn set_default_quota(&self, limits: &BTreeMap<Resource, i64>) -> Result<()>;

    /// Sets limits of a project, or of a user in it.
    async fn set_quota(&self, project: ProjectId, user: Option<UserId>, limits: &BTreeMap<Resource, i64>) -> Result<()>;

    /// Takes back what was set for a project (and its users), or for one user in it.
    async fn reset_quota(&self, project: ProjectId, user: Option<UserId>) -> Result<()>;

    /// What the instances of a project, or of one user in it, take.
    async fn instance_usage(&self, project: ProjectId, user: Option<UserId>) -> Result<InstanceUsage>;
}

/// Whose quota, and the limits where none was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaScope {
    pub project: ProjectId,
    pub user: UserId,
    pub configured: Amounts,
}

/// The limits that hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub project: Amounts,
    /// Those that were set for the user.
    pub user: BTreeMap<Resource, i64>,
}

impl Limits {
    /// The limit for the user: its own, or else the project's.
    pub fn of_user(&self, resource: Resource) -> i64 {
        self.user.get(&resource).copied().unwrap_or_else(|| self.project.get(resource))
    }
}

/// What instances take that are not deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InstanceUsage {
    pub instances: i64,
    pub vcpus: i64,
    pub ram_mib: i64,
}

impl InstanceUsage {
    /// What one instance of this flavor takes.
    pub fn of_flavor(flavor: &Flavor) -> Self {
        let ram_mib = i64::try_from(flavor.ram_mib).unwrap_or(i64::MAX);
        Self { instances: 1, vcpus: i64::from(flavor.vcpus), ram_mib }
    }

    /// How much more this is than `other`; negative where it is less.
    pub fn beyond(&self, other: &Self) -> Self {
        Self {
            instances: self.instances - other.instances,
            vcpus: self.vcpus - other.vcpus,
            ram_mib: self.ram_mib - other.ram_mib,
        }
    }

    /// What is used of a resource; nothing of those that instances do not take.
    pub fn of(&self, resource: Resource) -> i64 {
        match resource {
            Resource::Instances => self.instances,
            Resource::Cores => self.vcpus,
            Resource::Ram => self.ram_mib,
            _ => 0,
        }
    }
}

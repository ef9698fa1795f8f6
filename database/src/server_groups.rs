//! Server groups and their members.

use std::collections::HashMap;

use async_trait::async_trait;
use cuttle_model::ids::{HostId, InstanceId, ProjectId, ServerGroupId};
use cuttle_model::server_group::ServerGroup;

use crate::Result;
use crate::quotas::QuotaScope;

/// What is known of server groups.
#[async_trait]
pub trait ServerGroups {
    /// Inserts a group if its project has fewer than `quota` allows. False: it has not.
    async fn insert_server_group(&self, group: &ServerGroup, quota: &QuotaScope) -> Result<bool>;

    /// A group, with its members that were not deleted.
    async fn get_server_group(&self, id: ServerGroupId) -> Result<Option<(ServerGroup, Vec<InstanceId>)>>;

    /// The groups of a project or of all, oldest first, with their members that were not deleted; one query.
    async fn list_server_groups(&self, project: Option<ProjectId>) -> Result<Vec<(ServerGroup, Vec<InstanceId>)>>;

    /// Deletes a group; its members live on. False: there was none.
    async fn delete_server_group(&self, id: ServerGroupId) -> Result<bool>;

    /// The groups of instances that are in one.
    async fn groups_of(&self, instances: &[InstanceId]) -> Result<HashMap<InstanceId, ServerGroupId>>;

    /// A group, and which hosts how many of its members have claims on, but for `without`.
    async fn group_hosts(
        &self,
        id: ServerGroupId,
        without: Option<InstanceId>,
    ) -> Result<Option<(ServerGroup, Vec<(HostId, u32)>)>>;
}

//! What is to be placed, and what is wanted of its host.

use std::collections::BTreeMap;

use cuttle_model::flavor::Flavor;
use cuttle_model::ids::{HostId, ProjectId};
use cuttle_model::server_group::GroupPolicy;
use serde::{Deserialize, Serialize};

/// What is to be placed. [`Request::new`] wants nothing in particular.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub project_id: ProjectId,
    pub flavor: &'a Flavor,
    /// Bytes that disks which are still to be made may grow to; 0 where all are there, as in a move.
    pub disk_bytes: u64,
    /// The pool of its disks.
    pub disk_pool: Option<&'a str>,
    /// The pool of what its disk was cloned from, and is still read from.
    pub parent_pool: Option<&'a str>,
    pub image_properties: &'a BTreeMap<String, String>,
    /// The availability zone that was asked for.
    pub zone: Option<&'a str>,
    pub target: Target,
    /// Hosts that are not to be taken: tried before in vain, or being left.
    pub excluded: &'a [HostId],
    /// Hint `same_host`: only hosts with one of these instances, and these are their hosts.
    pub same_host: Option<&'a [HostId]>,
    /// Hint `different_host`: the hosts of those instances.
    pub different_host: &'a [HostId],
    pub group: Option<&'a Group>,
    /// Decides where chance does, so that the same request has the same answer.
    pub seed: u64,
}

/// Whether a host was named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// None was.
    #[default]
    Any,
    /// This one, if it passes all filters.
    Asked(HostId),
    /// This one, whatever the filters of policy say; room it needs nevertheless. What Nova makes of
    /// `zone:host`.
    Forced(HostId),
}

/// The server group, and where its other members are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub policy: GroupPolicy,
    /// With anti-affinity.
    pub max_per_host: Option<u32>,
    /// How many are on which host. Members without a host are not there.
    pub members: Vec<(HostId, u32)>,
}

impl<'a> Request<'a> {
    /// A request by `project_id` for an instance of `flavor`.
    pub fn new(project_id: ProjectId, flavor: &'a Flavor) -> Self {
        static NO_PROPERTIES: BTreeMap<String, String> = BTreeMap::new();
        Self {
            project_id,
            flavor,
            disk_bytes: 0,
            disk_pool: None,
            parent_pool: None,
            image_properties: &NO_PROPERTIES,
            zone: None,
            target: Target::Any,
            excluded: &[],
            same_host: None,
            different_host: &[],
            group: None,
            seed: 0,
        }
    }

    /// The group, if it has that policy.
    pub(crate) fn group_with(&self, policy: GroupPolicy) -> Option<&'a Group> {
        self.group.filter(|group| group.policy == policy)
    }
}

//! ServerGroupSoftAffinityWeigher: more of the group's members are better.

use cuttle_model::server_group::GroupPolicy;

use super::Members;
use crate::choice::World;
use crate::request::Request;

pub(super) fn prepare(world: &World<'_>, request: &Request<'_>) -> Option<Members> {
    request.group_with(GroupPolicy::SoftAffinity).map(|group| Members::of(world, group, 1.0))
}

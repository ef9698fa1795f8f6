//! ServerGroupAffinityFilter: the host has the group's other members, where these have one.

use cuttle_model::server_group::GroupPolicy;

use super::Rows;
use crate::choice::World;
use crate::request::Request;

pub(super) fn prepare(world: &World<'_>, request: &Request<'_>) -> Option<Rows> {
    let group = request.group_with(GroupPolicy::Affinity).filter(|group| !group.members.is_empty())?;
    Some(Rows::except(world.snapshot, group.members.iter().map(|(host, _)| *host), false))
}

#[cfg(test)]
mod tests {
    use cuttle_model::server_group::GroupPolicy;

    use crate::filters::Filter;
    use crate::request::{Group, Request};
    use crate::test_hosts::{flavor, host, input, lets_pass, request};

    #[test]
    fn members_stay_together() {
        let flavor = flavor(1, 1);
        let group = |members| Group { policy: GroupPolicy::Affinity, max_per_host: None, members };
        let first = group(Vec::new());
        let request_of = |group| Request { group: Some(group), ..request(&flavor) };
        assert!(lets_pass(Filter::ServerGroupAffinity, input("b", 1), &[], &request_of(&first)));
        let second = group(vec![(host("a", 1).id, 1)]);
        assert!(!lets_pass(Filter::ServerGroupAffinity, input("b", 1), &[], &request_of(&second)));
        assert!(lets_pass(Filter::ServerGroupAffinity, input("a", 1), &[], &request_of(&second)));
        let soft = Group { policy: GroupPolicy::SoftAffinity, ..second.clone() };
        assert!(lets_pass(Filter::ServerGroupAffinity, input("b", 1), &[], &request_of(&soft)));
    }
}

//! ServerGroupAntiAffinityFilter: the host has fewer of the group's members than it may: one, or the
//! group's `max_server_per_host`.

use cuttle_model::server_group::GroupPolicy;

use super::Rows;
use crate::choice::World;
use crate::request::Request;

pub(super) fn prepare(world: &World<'_>, request: &Request<'_>) -> Option<Rows> {
    let group = request.group_with(GroupPolicy::AntiAffinity)?;
    let most = group.max_per_host.unwrap_or(1);
    let full = group.members.iter().filter(|(_, members)| *members >= most).map(|(host, _)| *host);
    Some(Rows::except(world.snapshot, full, true))
}

#[cfg(test)]
mod tests {
    use cuttle_model::server_group::GroupPolicy;

    use crate::filters::Filter;
    use crate::request::{Group, Request};
    use crate::test_hosts::{flavor, host, input, lets_pass, request};

    #[test]
    fn no_more_members_on_a_host_than_may_be() {
        let flavor = flavor(1, 1);
        for (max_per_host, name, passes) in [(None, "a", false), (Some(2), "a", false), (Some(3), "a", true), (None, "b", true)] {
            let group = Group { policy: GroupPolicy::AntiAffinity, max_per_host, members: vec![(host("a", 1).id, 2)] };
            let request = Request { group: Some(&group), ..request(&flavor) };
            let verdict = lets_pass(Filter::ServerGroupAntiAffinity, input(name, 1), &[], &request);
            assert_eq!(verdict, passes, "{max_per_host:?} {name}");
        }
    }
}

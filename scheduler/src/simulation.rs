//! Could the cloud do without a host? Its instances are placed elsewhere, as a failure would have it, on a
//! copy of the hosts.

use std::collections::BTreeMap;

use cuttle_model::flavor::Flavor;
use cuttle_model::ids::{HostId, InstanceId, ProjectId};

use crate::choice::{Scratch, World, choose};
use crate::request::{Group, Request};

/// An instance on a host.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub instance_id: InstanceId,
    pub project_id: ProjectId,
    pub host_id: HostId,
    pub flavor: Flavor,
    pub image_properties: BTreeMap<String, String>,
    pub zone: Option<String>,
    /// Which of the groups it is in.
    pub group: Option<usize>,
}

/// What the loss of a host would come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    pub host_id: HostId,
    pub moved: Vec<Placed>,
    /// Instances for which there would be no host, and why.
    pub stuck: Vec<(InstanceId, String)>,
}

/// Where an instance would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    pub instance_id: InstanceId,
    pub host_id: HostId,
}

/// Places what is on `lost` elsewhere, the largest first. `groups` are all the groups of `tenants`, with
/// the members where they are now.
pub fn absorb(world: &World<'_>, lost: HostId, tenants: &[Tenant], groups: &[Group], scratch: &mut Scratch) -> Loss {
    let mut snapshot = world.snapshot.clone();
    snapshot.close(lost);
    let mut groups = groups.to_vec();
    groups.iter_mut().for_each(|group| group.members.retain(|(host, _)| *host != lost));
    let mut homeless: Vec<&Tenant> = tenants.iter().filter(|tenant| tenant.host_id == lost).collect();
    homeless.sort_by_key(|tenant| (std::cmp::Reverse((tenant.flavor.ram_mib, tenant.flavor.vcpus)), tenant.instance_id));
    let mut loss = Loss { host_id: lost, moved: Vec::new(), stuck: Vec::new() };
    for tenant in homeless {
        let request = Request {
            image_properties: &tenant.image_properties,
            zone: tenant.zone.as_deref(),
            excluded: &[lost],
            group: tenant.group.and_then(|group| groups.get(group)),
            ..Request::new(tenant.project_id, &tenant.flavor)
        };
        let choice = choose(&World { snapshot: &snapshot, ..*world }, &request, scratch);
        match choice.chosen {
            None => loss.stuck.push((tenant.instance_id, choice.reasons.refusal())),
            Some(chosen) => {
                snapshot.claim(chosen.host_id, tenant.flavor.vcpus.into(), tenant.flavor.ram_mib);
                if let Some(group) = tenant.group.and_then(|group| groups.get_mut(group)) {
                    group.add(chosen.host_id);
                }
                loss.moved.push(Placed { instance_id: tenant.instance_id, host_id: chosen.host_id });
            }
        }
    }
    loss
}

impl Group {
    /// Counts one more member on the host.
    pub fn add(&mut self, host: HostId) {
        match self.members.iter_mut().find(|(known, _)| *known == host) {
            Some((_, members)) => *members += 1,
            None => self.members.push((host, 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use cuttle_model::capacity::Usage;
    use cuttle_model::server_group::GroupPolicy;
    use uuid::Uuid;

    use super::*;
    use crate::HostInput;
    use crate::test_hosts::{flavor, host, input, with_world};

    fn tenant(number: u128, on: &str, ram_mib: u64) -> Tenant {
        Tenant {
            instance_id: InstanceId::from_uuid(Uuid::from_u128(number)),
            project_id: ProjectId::from_uuid(Uuid::nil()),
            host_id: host(on, 0).id,
            flavor: flavor(1, ram_mib),
            image_properties: BTreeMap::new(),
            zone: None,
            group: None,
        }
    }

    fn with_usage(name: &str, ram_mib: u64, used: u64) -> HostInput {
        HostInput { usage: Usage { instances: 1, vcpus: 1, ram_mib: used }, ..input(name, ram_mib) }
    }

    #[test]
    fn the_largest_find_room_first_and_who_finds_none_is_named() {
        let tenants = [tenant(1, "a", 300), tenant(2, "a", 700), tenant(3, "b", 500)];
        let hosts = vec![with_usage("a", 1000, 1000), with_usage("b", 1000, 500), with_usage("c", 700, 0)];
        with_world(hosts, &[], |world| {
            let loss = |name| absorb(world, host(name, 0).id, &tenants, &[], &mut Scratch::default());
            let first = loss("a");
            let homes: Vec<_> = first.moved.iter().map(|placed| placed.host_id).collect();
            assert_eq!(homes, [host("c", 0).id, host("b", 0).id]);
            assert_eq!(first.stuck, []);
            assert_eq!(loss("b").moved.len(), 1);
            assert_eq!(loss("c"), Loss { host_id: host("c", 0).id, moved: vec![], stuck: vec![] });
        });
    }

    #[test]
    fn groups_hold_among_those_that_move() {
        let member = |number| Tenant { group: Some(0), ..tenant(number, "a", 10) };
        let group = Group { policy: GroupPolicy::AntiAffinity, max_per_host: Some(2), members: vec![(host("a", 0).id, 2)] };
        let tenants = [member(1), member(2)];
        let strict = Group { max_per_host: None, ..group.clone() };
        with_world(vec![input("a", 1000), input("b", 1000)], &[], |world| {
            let stuck = |group: Group| absorb(world, host("a", 0).id, &tenants, &[group], &mut Scratch::default()).stuck.len();
            assert_eq!(stuck(group), 0);
            assert_eq!(stuck(strict), 1);
        });
    }
}

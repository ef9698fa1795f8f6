//! Cephx identities of hosts that are gone, and older ones of hosts that are there.

use std::collections::HashSet;

use cuttle_model::host::Host;

use super::finding::{Finding, Kind};
use super::{Look, Stop};
use crate::Control;

const OURS: &str = "client.cuttle.";
/// Older generations that are looked for, where all users may not be listed.
const OLDER: i64 = 5;

/// Looks at the identities that are there.
pub(super) async fn look(look: &mut Look<'_>) -> Result<(), Stop> {
    let ceph = look.control.ceph();
    let listed = match ceph.cluster() {
        Some(cluster) => cluster.list_clients(OURS).await?,
        None => None,
    };
    // Hosts after users: a host has its row before its identity.
    let hosts = look.control.database().list_hosts().await?;
    let users = match listed {
        Some(users) => users,
        None => {
            look.report.unchecked.push(format!(
                "identities of hosts that have no row: {} is not permitted to run 'auth ls', so only older ones of the hosts \
                 that are there were looked for",
                ceph.client_name()
            ));
            let mut found = Vec::new();
            for client in hosts.iter().flat_map(older) {
                if ceph.client_exists(&client).await? {
                    found.push(client);
                }
            }
            found
        }
    };
    let needed = needed(look, &hosts).await?;
    for user in users.into_iter().filter(|user| is_a_hosts(user) && !needed.contains(user)) {
        if ceph.client_exists(&user).await? {
            let message = format!("{user} is the identity of no host that there is");
            look.report.add(Finding::new(Kind::UnneededUser, user, None, message));
        }
    }
    Ok(())
}

/// The identities that hosts may have: each its newest, and those whose key is being changed older ones too.
async fn needed(look: &Look<'_>, hosts: &[Host]) -> Result<HashSet<String>, Stop> {
    let mut needed: HashSet<String> = hosts.iter().map(Host::ceph_client).collect();
    for id in look.control.database().hosts_with_old_keys().await? {
        if let Some(host) = hosts.iter().find(|host| host.id == id) {
            needed.extend(in_use(look.control, host).await?);
        }
    }
    Ok(needed)
}

/// The identities that a host may have now.
pub(super) async fn in_use(control: &Control, host: &Host) -> cuttle_database::Result<Vec<String>> {
    let generations = control.database().ceph_generations(host.id).await?;
    let named = |generation| format!("{OURS}{}.{generation}", host.name);
    Ok(generations.map_or_else(Vec::new, |found| (found.oldest..=found.newest).map(named).collect()))
}

fn older(host: &Host) -> Vec<String> {
    let first = (host.ceph_generation - OLDER).max(1);
    (first..host.ceph_generation).map(|generation| format!("{OURS}{}.{generation}", host.name)).collect()
}

/// `client.cuttle.<host>.<generation>`.
fn is_a_hosts(user: &str) -> bool {
    let name = user.strip_prefix(OURS).and_then(|rest| rest.rsplit_once('.'));
    name.is_some_and(|(host, generation)| !host.is_empty() && generation.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_form_are_hosts() {
        assert!(is_a_hosts("client.cuttle.host1.1") && is_a_hosts("client.cuttle.rack-3.host-12.40"));
        for other in ["client.cuttle", "client.cuttle.api", "client.cuttle..1", "client.nova.host1.1", "client.cuttle.host1.x"] {
            assert!(!is_a_hosts(other), "{other}");
        }
    }
}

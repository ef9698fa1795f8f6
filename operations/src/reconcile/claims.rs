//! Claims without an instance, and instances without a claim.

use std::collections::HashMap;

use cuttle_database::OddClaim;
use cuttle_model::ids::HostId;

use super::Look;
use super::finding::{Finding, Kind};

/// So many at the most: there should be none.
const LIMIT: u32 = 1000;

/// Compares claims with instances.
pub(super) async fn look(look: &mut Look<'_>) -> cuttle_database::Result<()> {
    let database = look.control.database();
    let odd = database.odd_claims(LIMIT).await?;
    if odd.is_empty() {
        return Ok(());
    }
    let names: HashMap<HostId, String> =
        database.list_hosts().await?.into_iter().map(|host| (host.id, host.name.to_string())).collect();
    let name = |host: HostId| names.get(&host).map_or("a host that is gone", String::as_str);
    for OddClaim { instance_id, state, host_id, claimed_on } in odd {
        let state = state.as_str();
        let finding = match (claimed_on, host_id) {
            (Some(claimed), host) if host != Some(claimed) => {
                let whereabouts = host.map_or("on no host".to_owned(), |host| format!("on {}", name(host)));
                let message =
                    format!("{} is claimed by instance {instance_id}, which is {state} and {whereabouts}", name(claimed));
                Finding::new(Kind::ClaimWithoutInstance, instance_id, Some(name(claimed)), message)
            }
            (Some(claimed), _) => {
                let message = format!("{} is claimed by instance {instance_id}, which is {state}", name(claimed));
                Finding::new(Kind::ClaimWithoutInstance, instance_id, Some(name(claimed)), message)
            }
            (None, host) => {
                let host = host.map_or("no host", name);
                let message = format!("instance {instance_id} is {state} on {host} and claims nothing of it");
                Finding::new(Kind::InstanceWithoutClaim, instance_id, Some(host), message)
            }
        };
        look.report.add(finding);
    }
    Ok(())
}

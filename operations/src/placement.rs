//! Placement: a host for an instance, or why there is none.
//!
//! The choice is made from what the database says now, by [`cuttle_scheduler`]. It claims nothing: the
//! caller does, in the transaction that writes the instance, in which the database checks the host's
//! limits again. Lost the race: ask again without that host.

use std::collections::BTreeMap;

use cuttle_database::Placement;
use cuttle_model::capacity::Claim;
use cuttle_model::flavor::Flavor;
use cuttle_model::host::HostName;
use cuttle_model::ids::{HostId, InstanceId, ProjectId};
use cuttle_model::instance::Instance;
use cuttle_model::placement::Reasons;
use cuttle_scheduler::{HostInput, Request, Scratch, Snapshot, Target, World};

use crate::{Control, RequestError};

/// What is to be placed. [`Ask::for_instance`] wants nothing but what the instance itself does.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub instance_id: InstanceId,
    pub project_id: ProjectId,
    /// The one that it is to have: another one than now in a resize.
    pub flavor: &'a Flavor,
    /// Bytes that disks which are still to be made may grow to; 0 in a move.
    pub disk_bytes: u64,
    pub image_properties: &'a BTreeMap<String, String>,
    pub zone: Option<&'a str>,
    /// Whether a host was asked for.
    pub target: Target,
    /// Hosts that are not to be taken: the one that is left, those that were tried in vain.
    pub excluded: &'a [HostId],
}

/// A host, not claimed yet.
#[derive(Debug, Clone)]
pub struct Placed {
    pub host_id: HostId,
    pub host: HostName,
    /// What to claim, and the limits under which it may be.
    pub placement: Placement,
    pub reasons: Reasons,
}

/// There is no host.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Why, for the user.
    pub text: String,
    /// `None` where no host was looked at.
    pub reasons: Option<Reasons>,
}

impl<'a> Ask<'a> {
    /// For an instance that exists, to be moved with that flavor.
    pub fn for_instance(instance: &'a Instance, flavor: &'a Flavor) -> Self {
        static NO_PROPERTIES: BTreeMap<String, String> = BTreeMap::new();
        Self {
            instance_id: instance.id,
            project_id: instance.project_id,
            flavor,
            disk_bytes: 0,
            image_properties: &NO_PROPERTIES,
            zone: instance.availability_zone.as_deref(),
            target: Target::Any,
            excluded: &[],
        }
    }
}

/// The best host, or why there is none.
pub async fn choose(control: &Control, ask: &Ask<'_>) -> Result<Result<Placed, Refusal>, RequestError> {
    let pool = control.pool_account();
    // Hosts share the pool, so none of them could take it: that is the reason, and not what each filter says.
    if let Some(full) = pool.and_then(|pool| pool.full).filter(|_| ask.disk_bytes > 0) {
        let name = &control.settings().vms_pool;
        let text = format!("No valid host was found: pool {name} is full: {}.", full.reason());
        return Ok(Err(Refusal { text, reasons: None }));
    }
    let settings = &control.settings().scheduler;
    let hosts = control.database().candidates().await?;
    let hosts = hosts.into_iter().map(|candidate| HostInput::new(candidate.host, candidate.usage)).collect();
    let snapshot = Snapshot::new(hosts, &[], settings);
    let world =
        World { snapshot: &snapshot, now: control.now(), down_after: control.settings().host_down_after(), pool, settings };
    let pools = [control.settings().vms_pool.clone(), control.settings().images_pool.clone()];
    let request = Request {
        disk_bytes: ask.disk_bytes,
        pools: &pools,
        image_properties: ask.image_properties,
        zone: ask.zone,
        target: ask.target,
        excluded: ask.excluded,
        seed: seed(ask.instance_id),
        ..Request::new(ask.project_id, ask.flavor)
    };
    let choice = cuttle_scheduler::choose(&world, &request, &mut Scratch::default());
    let limits = choice.chosen.as_ref().and_then(|chosen| snapshot.limits(chosen.host_id, settings));
    Ok(match choice.chosen.zip(limits) {
        None => Err(Refusal { text: choice.reasons.refusal(), reasons: Some(choice.reasons) }),
        Some((chosen, limits)) => {
            let claim = Claim::of(ask.instance_id, chosen.host_id, ask.flavor);
            let placement = Placement { claim, vcpu_limit: limits.vcpus, ram_limit_mib: limits.ram_mib };
            Ok(Placed { host_id: chosen.host_id, host: chosen.name, placement, reasons: choice.reasons })
        }
    })
}

/// Where chance decides, it is the instance's.
fn seed(id: InstanceId) -> u64 {
    let (high, low) = id.as_uuid().as_u64_pair();
    high ^ low
}

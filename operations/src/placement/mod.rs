//! Placement: a host for an instance, or why there is none.
//!
//! The choice is made from what the database says, by [`cuttle_scheduler`]. It claims nothing: the
//! caller does, in the transaction that writes the instance, in which the database checks the host's
//! limits, its aggregates and the server group again. Lost the race: ask again without that host.

pub mod free;
mod locality;
mod view;

use std::collections::BTreeMap;

use cuttle_database::Placement;
use cuttle_model::capacity::Claim;
use cuttle_model::flavor::Flavor;
use cuttle_model::host::HostName;
use cuttle_model::ids::{HostId, InstanceId, OperationId, ProjectId, ServerGroupId};
use cuttle_model::instance::Instance;
use cuttle_model::operation::OperationKind;
use cuttle_model::placement::{PlacementRecord, Reasons};
use cuttle_scheduler::{Choice, Driver, Group, Request, Scratch, Target};
use serde::{Deserialize, Serialize};

pub(crate) use locality::{Locality, watch as watch_locality};
pub(crate) use view::{Cache, View};

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
    /// Whether its disk is read from an image too, which it is a clone of.
    pub reads_image: bool,
    pub image_properties: &'a BTreeMap<String, String>,
    pub zone: Option<&'a str>,
    /// Whether a host was asked for.
    pub target: Target,
    /// Hosts that are not to be taken: the one that is left, those that were tried in vain.
    pub excluded: &'a [HostId],
    pub group: Membership,
    /// Hint: on the host of one of these.
    pub same_host: Option<&'a [InstanceId]>,
    /// Hint: on the host of none of these.
    pub different_host: &'a [InstanceId],
}

/// The instance's server group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// The one that it was made in, if it was.
    Known,
    /// A new instance's, if it is to be in one.
    New(Option<ServerGroupId>),
}

/// What a user wants of the host of a new instance.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Wishes {
    pub target: Target,
    /// The server group that it is to be a member of.
    pub group: Option<ServerGroupId>,
    pub same_host: Option<Vec<InstanceId>>,
    pub different_host: Vec<InstanceId>,
    /// All hints as they were given: kept with the instance.
    #[serde(skip)]
    pub hints: cuttle_database::Hints,
}

/// A host, not claimed yet.
#[derive(Debug, Clone)]
pub struct Placed {
    pub host_id: HostId,
    pub host: HostName,
    /// What to claim, and the limits under which it may be.
    pub placement: Placement,
    /// Guests that could not be made there since the last one that could.
    pub failed_builds: u32,
    pub reasons: Reasons,
}

/// There is no host.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Why, for the user.
    pub text: String,
    /// `None` where no host was looked at.
    pub reasons: Option<Box<Reasons>>,
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
            reads_image: instance.image_id.is_some(),
            image_properties: &NO_PROPERTIES,
            zone: instance.availability_zone.as_deref(),
            target: Target::Any,
            excluded: &[],
            group: Membership::Known,
            same_host: None,
            different_host: &[],
        }
    }

    /// With what a user wants.
    pub fn with(self, wishes: &'a Wishes) -> Self {
        Self {
            target: wishes.target,
            group: Membership::New(wishes.group),
            same_host: wishes.same_host.as_deref(),
            different_host: &wishes.different_host,
            ..self
        }
    }

    /// The choice as it is kept with the operation.
    pub fn record(
        &self,
        control: &Control,
        purpose: OperationKind,
        operation_id: Option<OperationId>,
        reasons: Reasons,
    ) -> PlacementRecord {
        let refusal = reasons.chosen.is_none().then(|| reasons.refusal());
        let purpose = purpose.as_str().to_owned();
        PlacementRecord { instance_id: self.instance_id, operation_id, made_at: control.now(), purpose, reasons, refusal }
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
    let hints = Hints::read(control, ask).await?;
    let cache = control.placement_cache();
    if control.settings().scheduler.driver == Driver::Caching {
        let chosen = cache.with(control, |view| view.choose(control, ask, &hints));
        // What was refused a moment ago may have room now.
        if let Some(Ok(placed)) = chosen {
            return Ok(Ok(placed));
        }
    }
    let mut view = View::load(control).await?;
    let placed = view.choose(control, ask, &hints);
    cache.keep(control, view);
    Ok(placed)
}

/// What hints say, in hosts.
pub(crate) struct Hints {
    group: Option<Group>,
    same_host: Option<Vec<HostId>>,
    different_host: Vec<HostId>,
}

impl Hints {
    async fn read(control: &Control, ask: &Ask<'_>) -> Result<Self, RequestError> {
        let database = control.database();
        let group = match ask.group {
            Membership::New(group) => group,
            Membership::Known => database.groups_of(&[ask.instance_id]).await?.remove(&ask.instance_id),
        };
        let found = match group {
            Some(group) => database.group_hosts(group, Some(ask.instance_id)).await?,
            None => None,
        };
        let group = found.map(|(group, members)| Group { policy: group.policy, max_per_host: group.max_per_host, members });
        let same_host = match ask.same_host {
            Some(instances) => Some(database.hosts_of(instances).await?),
            None => None,
        };
        let different_host = match ask.different_host {
            [] => Vec::new(),
            instances => database.hosts_of(instances).await?,
        };
        Ok(Self { group, same_host, different_host })
    }
}

impl View {
    /// Chooses, and counts the choice as a claim, so that the next one from this view knows of it.
    fn choose(&mut self, control: &Control, ask: &Ask<'_>, hints: &Hints) -> Result<Placed, Refusal> {
        let settings = &control.settings().scheduler;
        let request = Request {
            disk_bytes: ask.disk_bytes,
            disk_pool: Some(&control.settings().vms_pool),
            parent_pool: ask.reads_image.then_some(control.settings().images_pool.as_str()),
            image_properties: ask.image_properties,
            zone: ask.zone,
            target: ask.target,
            excluded: ask.excluded,
            same_host: hints.same_host.as_deref(),
            different_host: &hints.different_host,
            group: hints.group.as_ref(),
            seed: seed(ask.instance_id),
            ..Request::new(ask.project_id, ask.flavor)
        };
        let Choice { chosen, reasons } = cuttle_scheduler::choose(&self.world(control), &request, &mut Scratch::default());
        let limits = chosen.as_ref().and_then(|chosen| self.snapshot.limits(chosen.host_id, settings));
        let Some((chosen, limits)) = chosen.zip(limits) else {
            return Err(Refusal { text: reasons.refusal(), reasons: Some(Box::new(reasons)) });
        };
        self.snapshot.claim(chosen.host_id, ask.flavor.vcpus.into(), ask.flavor.ram_mib);
        let placement = Placement {
            instance_limit: limits.instances.filter(|_| !matches!(ask.target, Target::Forced(_))),
            rules: self.rules.get(&chosen.host_id).copied(),
            ..Placement::new(Claim::of(ask.instance_id, chosen.host_id, ask.flavor), limits.vcpus, limits.ram_mib)
        };
        let failed_builds = self.snapshot.failed_builds(chosen.host_id);
        Ok(Placed { host_id: chosen.host_id, host: chosen.name, placement, failed_builds, reasons })
    }
}

/// Where chance decides, it is the instance's.
fn seed(id: InstanceId) -> u64 {
    let (high, low) = id.as_uuid().as_u64_pair();
    high ^ low
}

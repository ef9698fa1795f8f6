//! Create: make an instance's disk and run its guest for the first time.
//!
//! The host is chosen and claimed before the operation begins, in the transaction that inserts the
//! instance: so there is no instance without its claim, and no claim without its instance.
//! An instance for which there is no host is kept, in error, with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use cuttle_database::{Insertion, NewInstance, Placement, QuotaScope};
use cuttle_model::capacity::Claim;
use cuttle_model::disk::{Disk, DiskRole, IMAGE_SNAPSHOT, image_name, owner, root_disk_name};
use cuttle_model::fault::{Fault, FaultKind};
use cuttle_model::flavor::Flavor;
use cuttle_model::host::Host;
use cuttle_model::ids::{Epoch, HostId, ImageId, InstanceId, ProjectId};
use cuttle_model::image::{Image, ImageStatus};
use cuttle_model::instance::{Instance, InstanceState, PowerState, Task};
use cuttle_model::keypair::Keypair;
use cuttle_model::operation::{Operation, OperationKind, Subject};
use cuttle_rbd_backend::{ClonePlan, Metadata};
use cuttle_scheduler::{HostView, World};
use serde::{Deserialize, Serialize};

use crate::engine::{ClaimEnd, Context, Outcome, Step, StepError, Steps, step};
use crate::guest::{self, GuestRun};
use crate::{Control, RequestError, Requester};

/// What to create. The flavor and the image were found to be the requester's to use.
#[derive(Debug, Clone)]
pub struct CreateInstance {
    pub name: String,
    pub description: Option<String>,
    /// The guest's host name; made from the name where it is not given.
    pub hostname: Option<String>,
    pub flavor: Flavor,
    pub image: Image,
    pub metadata: BTreeMap<String, String>,
    /// Its public key is copied into the instance.
    pub keypair: Option<Keypair>,
    pub availability_zone: Option<String>,
    pub tags: BTreeSet<String>,
    /// Of the request that it is one of several of, and which one.
    pub reservation_id: Option<String>,
    pub launch_index: u32,
    pub access_ipv4: Option<Ipv4Addr>,
    pub access_ipv6: Option<Ipv6Addr>,
    /// Whose quota it is counted against; `None`: nobody's.
    pub quota: Option<QuotaScope>,
}

/// The operation's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Create {
    instance_id: InstanceId,
    project_id: ProjectId,
    name: String,
    flavor: Flavor,
    image_id: ImageId,
    disk_bytes: u64,
    host_id: HostId,
    epoch: Epoch,
    root_disk: Option<Disk>,
}

impl Steps for Create {
    const KIND: OperationKind = OperationKind::CreateInstance;

    fn steps() -> Vec<Step<Self>> {
        vec![
            step!("make disk", make_disk, undo: trash_disk),
            step!("create guest", create_guest, undo: destroy_guest),
            step!("record clients", record_clients, no_undo: "a guest that is destroyed makes its records void; destroying it proves that"),
            step!("run guest", run_guest, no_undo: "destroying the guest undoes this too"),
        ]
    }

    fn end_instance(&self, outcome: &Outcome, instance: &mut Instance) -> ClaimEnd {
        match outcome {
            Outcome::Succeeded => {
                instance.state = InstanceState::Active;
                instance.power = PowerState::Running;
                instance.launched_at = Some(instance.updated_at);
                ClaimEnd::Kept
            }
            Outcome::Undone(fault) => {
                instance.state = InstanceState::Error { fault: fault.clone() };
                instance.power = PowerState::Shutdown;
                instance.root_disk = None;
                instance.host_id = None;
                ClaimEnd::Released
            }
            // Something of it may still be on the host, so the host's room stays claimed.
            Outcome::Parked(fault) => {
                instance.state = InstanceState::Error { fault: fault.clone() };
                instance.power = PowerState::Unknown;
                ClaimEnd::Kept
            }
        }
    }
}

/// Creates an instance: chooses its host, inserts it, and begins the operation that makes it.
pub async fn create(control: &Control, who: &Requester, request: CreateInstance) -> Result<Instance, RequestError> {
    let image_bytes = match (request.image.status, request.image.virtual_size_bytes) {
        (ImageStatus::Active, Some(bytes)) => bytes,
        (status, _) => return Err(RequestError::ImageStatus(status)),
    };
    let disk_bytes = request.flavor.root_disk_bytes(image_bytes).ok_or(RequestError::DiskTooSmall { image_bytes })?;
    let mut tried = Vec::new();
    loop {
        let choice = choose(control, &request.flavor, disk_bytes, &tried).await?;
        let instance = new_instance(control, who, &request);
        let Some((host, placement)) = choice.as_ref().ok().and_then(|host| Some((host, placement(&instance, host)?))) else {
            let reason = choice.err().unwrap_or_else(|| "No valid host was found.".to_owned());
            return refuse(control, instance, request.quota, reason).await;
        };
        let instance = Instance { host_id: Some(host.id), ..instance };
        let operation = new_operation(control, who, &instance, request.image.id, disk_bytes, host.id);
        let quota = request.quota.clone();
        let new = NewInstance { instance, placement: Some(placement), operation: Some(operation), quota };
        match control.database().insert_instance(&new).await? {
            Insertion::Inserted => {
                if let Some(operation) = new.operation {
                    control.engine().start(control, operation);
                }
                return Ok(new.instance);
            }
            // Another request took the room between our look and our claim.
            Insertion::HostFull => tried.push(host.id),
            Insertion::OverQuota(over) => return Err(RequestError::OverQuota(over)),
        }
    }
}

/// The best host, or why there is none.
async fn choose(
    control: &Control,
    flavor: &Flavor,
    disk_bytes: u64,
    excluded: &[HostId],
) -> Result<Result<Host, String>, RequestError> {
    let candidates = control.database().candidates().await?;
    let hosts: Vec<HostView<'_>> =
        candidates.iter().map(|candidate| HostView { host: &candidate.host, usage: candidate.usage }).collect();
    let world = World {
        hosts: &hosts,
        now: control.now(),
        down_after: control.settings().host_down_after(),
        pool: control.pool_account(),
    };
    let choice = cuttle_scheduler::choose(&world, &cuttle_scheduler::Request { flavor, disk_bytes, excluded });
    let best = choice.ranked.first().and_then(|best| candidates.iter().find(|candidate| candidate.host.id == best.host_id));
    Ok(best.map(|candidate| candidate.host.clone()).ok_or_else(|| choice.refusal()))
}

fn placement(instance: &Instance, host: &Host) -> Option<Placement> {
    let resources = host.resources.as_ref()?;
    let claim = Claim::of(instance.id, host.id, &instance.flavor);
    Some(Placement { claim, vcpu_limit: resources.vcpu_limit(), ram_limit_mib: resources.ram_limit_mib() })
}

/// Keeps an instance for which there is no host, so that its owner sees why.
async fn refuse(
    control: &Control,
    instance: Instance,
    quota: Option<QuotaScope>,
    reason: String,
) -> Result<Instance, RequestError> {
    let state = InstanceState::Error { fault: Fault::new(FaultKind::NoValidHost, reason) };
    let instance = Instance { state, task: None, ..instance };
    let new = NewInstance { instance, placement: None, operation: None, quota };
    match control.database().insert_instance(&new).await? {
        Insertion::Inserted | Insertion::HostFull => Ok(new.instance),
        Insertion::OverQuota(over) => Err(RequestError::OverQuota(over)),
    }
}

fn new_instance(control: &Control, who: &Requester, request: &CreateInstance) -> Instance {
    let id = InstanceId::new(control.ids());
    let now = control.now();
    Instance {
        id,
        project_id: who.project_id,
        user_id: who.user_id,
        name: request.name.clone(),
        description: request.description.clone(),
        hostname: request.hostname.clone().unwrap_or_else(|| hostname_of(&request.name, id)),
        flavor: request.flavor.clone(),
        image_id: Some(request.image.id),
        state: InstanceState::Building,
        task: Some(Task::MakingDisk),
        power: PowerState::Unknown,
        host_id: None,
        // No guest of it ever ran, so its first epoch needs no proof.
        epoch: Epoch::NONE.next(),
        running_allowed: None,
        root_disk: None,
        metadata: request.metadata.clone(),
        key_name: request.keypair.as_ref().map(|keypair| keypair.name.clone()),
        public_key: request.keypair.as_ref().map(|keypair| keypair.public_key.clone()),
        tags: request.tags.clone(),
        lock: None,
        reservation_id: request.reservation_id.clone(),
        launch_index: request.launch_index,
        access_ipv4: request.access_ipv4,
        access_ipv6: request.access_ipv6,
        availability_zone: request.availability_zone.clone(),
        created_at: now,
        updated_at: now,
        launched_at: None,
        deleted_at: None,
        generation: 1,
    }
}

fn new_operation(
    control: &Control,
    who: &Requester,
    instance: &Instance,
    image_id: ImageId,
    disk_bytes: u64,
    host_id: HostId,
) -> Operation {
    let state = Create {
        instance_id: instance.id,
        project_id: instance.project_id,
        name: instance.name.clone(),
        flavor: instance.flavor.clone(),
        image_id,
        disk_bytes,
        host_id,
        epoch: instance.epoch,
        root_disk: None,
    };
    crate::power::new_operation(control, who, Create::KIND, Subject::Instance(instance.id), &state)
}

async fn make_disk(context: &Context, state: &mut Create) -> Result<(), StepError> {
    let control = &context.control;
    let settings = control.settings();
    let name = root_disk_name(state.instance_id);
    let metadata = Metadata::from([
        (owner::INSTANCE.to_owned(), state.instance_id.to_string()),
        (owner::PROJECT.to_owned(), state.project_id.to_string()),
        (owner::OPERATION.to_owned(), context.operation.to_string()),
    ]);
    let plan = ClonePlan {
        parent_pool: settings.images_pool.clone(),
        parent_image: image_name(state.image_id),
        parent_snapshot: IMAGE_SNAPSHOT.to_owned(),
        name: name.clone(),
        size_bytes: state.disk_bytes,
        metadata,
    };
    let made = control.ceph().pool(&settings.vms_pool).create_clone(plan).await?;
    let disk =
        Disk { role: DiskRole::Root, pool: settings.vms_pool.clone(), name, image_id: made.id, size_bytes: made.size_bytes };
    state.root_disk = Some(disk.clone());
    context
        .update_instance(|instance| {
            instance.root_disk = Some(disk.clone());
            // Unless it is being deleted meanwhile.
            if instance.task == Some(Task::MakingDisk) {
                instance.task = Some(Task::Spawning);
            }
        })
        .await
}

/// Moves the disk to the trash, whether or not this step came to know that it exists.
async fn trash_disk(context: &Context, state: &mut Create) -> Result<(), StepError> {
    let control = &context.control;
    let pool = control.ceph().pool(&control.settings().vms_pool);
    let name = root_disk_name(state.instance_id);
    pool.trash_move(&name, control.settings().trash_delay()).await?;
    state.root_disk = None;
    context.update_instance(|instance| instance.root_disk = None).await
}

async fn create_guest(context: &Context, state: &mut Create) -> Result<(), StepError> {
    guest::create_paused(context, &state.guest_run()?).await
}

async fn destroy_guest(context: &Context, state: &mut Create) -> Result<(), StepError> {
    guest::make_void(context, state.instance_id, state.host_id, state.epoch).await
}

async fn record_clients(context: &Context, state: &mut Create) -> Result<(), StepError> {
    guest::record_clients(context, &state.guest_run()?).await
}

async fn run_guest(context: &Context, state: &mut Create) -> Result<(), StepError> {
    guest::resume(context, &state.guest_run()?).await
}

impl Create {
    fn guest_run(&self) -> Result<GuestRun, StepError> {
        let root_disk = self.root_disk.clone().ok_or_else(|| StepError::failed(FaultKind::Internal, "the disk was not made"))?;
        Ok(GuestRun {
            instance_id: self.instance_id,
            project_id: self.project_id,
            name: self.name.clone(),
            flavor: self.flavor.clone(),
            host_id: self.host_id,
            epoch: self.epoch,
            root_disk,
        })
    }
}

/// A host name as RFC 1123 wants it, from a name that people chose.
fn hostname_of(name: &str, id: InstanceId) -> String {
    let mut label = String::new();
    for c in name.chars() {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => label.push(c),
            ' ' | '_' | '-' | '.' if !label.is_empty() && !label.ends_with('-') => label.push('-'),
            _ => {}
        }
    }
    label.truncate(63);
    let label = label.trim_end_matches('-');
    if label.is_empty() { format!("server-{id}") } else { label.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_labels_whatever_the_name() {
        let id = InstanceId::from_uuid(uuid::Uuid::nil());
        for (name, expected) in [("Web 1", "web-1"), ("a__b", "a-b"), ("-x-", "x"), ("日本", &format!("server-{id}") as &str)] {
            assert_eq!(hostname_of(name, id), expected);
        }
        assert_eq!(hostname_of(&"a".repeat(255), id).len(), 63);
    }
}

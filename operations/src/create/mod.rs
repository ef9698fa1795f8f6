//! Create: make an instance's disks and run its guest for the first time.
//!
//! The host is chosen and claimed before the operation begins, in the transaction that inserts the
//! instance: so there is no instance without its claim, and no claim without its instance.
//! An instance for which there is no host is kept, in error, with the reason.

mod elsewhere;
mod making;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use cuttle_database::{Insertion, NewInstance, Placing, QuotaScope};
use cuttle_model::disk_limits::DiskLimits;
use cuttle_model::fault::{Fault, FaultKind};
use cuttle_model::flavor::Flavor;
use cuttle_model::guest_specs;
use cuttle_model::ids::{Epoch, InstanceId};
use cuttle_model::image::{Image, ImageStatus};
use cuttle_model::instance::{Instance, InstanceState, PowerState, Task};
use cuttle_model::keypair::Keypair;
use cuttle_model::operation::{Operation, Subject};
use cuttle_model::placement::PlacementRecord;

pub(crate) use making::Create;

use crate::config_drive::GuestInputs;
use crate::engine::Steps;
use crate::placement::{self, Ask, Placed, Wishes};
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
    /// What the guest is to be told.
    pub guest: GuestInputs,
    /// What is wanted of its host.
    pub wishes: Wishes,
}

/// How often all hosts are asked anew, after each of them was taken by others.
const ROUNDS: u32 = 3;

/// Creates an instance: chooses its host, inserts it, and begins the operation that makes it.
pub async fn create(control: &Control, who: &Requester, request: CreateInstance) -> Result<Instance, RequestError> {
    let image_bytes = match (request.image.status, request.image.virtual_size_bytes) {
        (ImageStatus::Active, Some(bytes)) => bytes,
        (status, _) => return Err(RequestError::ImageStatus(status)),
    };
    let disk_bytes = request.flavor.root_disk_bytes(image_bytes).ok_or(RequestError::DiskTooSmall { image_bytes })?;
    let specs = &request.flavor.extra_specs;
    guest_specs::check(specs).and_then(|()| DiskLimits::from_extra_specs(specs)).map_err(RequestError::BadFlavor)?;
    let config_drive = control
        .settings()
        .config_drive
        .decide(request.guest.config_drive, request.guest.need_drive() || request.keypair.is_some())?;
    let all_bytes = request.flavor.extra_disks().iter().fold(disk_bytes, |sum, (_, bytes)| sum.saturating_add(*bytes));
    let (mut tried, mut rounds) = (Vec::new(), 0);
    loop {
        let instance = Instance { config_drive, ..new_instance(control, who, &request) };
        let ask = Ask {
            disk_bytes: all_bytes,
            image_properties: &request.image.properties,
            excluded: &tried,
            ..Ask::for_instance(&instance, &request.flavor)
        };
        let ask = ask.with(&request.wishes);
        let placed = match placement::choose(control, &ask).await? {
            Ok(placed) => placed,
            Err(refusal) if tried.is_empty() => {
                let record = refusal.reasons.clone().map(|reasons| ask.record(control, Create::KIND, None, *reasons));
                return refuse(control, instance, &request, refusal.text, record).await;
            }
            // Others took the room of every host that was tried, or the hosts' aggregates changed: who has room now is asked
            // anew, and a refusal then says what the hosts lack, not that they were tried.
            Err(refusal) => {
                rounds += 1;
                if rounds >= ROUNDS {
                    return refuse(control, instance, &request, refusal.text, None).await;
                }
                tried.clear();
                continue;
            }
        };
        let host_id = placed.host_id;
        let operation = new_operation(control, who, &instance, &request, disk_bytes, &placed);
        let record = ask.record(control, Create::KIND, Some(operation.id), placed.reasons);
        let new = NewInstance {
            instance: Instance { host_id: Some(host_id), ..instance },
            placement: Some(placed.placement),
            operation: Some(operation),
            quota: request.quota.clone(),
            user_data: request.guest.user_data.clone(),
            placing: placing(&request, Some(record)),
        };
        match control.database().insert_instance(&new).await? {
            Insertion::Inserted => {
                if let Some(password) = request.guest.admin_password {
                    control.admin_passwords().offer(new.instance.id, password);
                }
                if let Some(operation) = new.operation {
                    control.engine().start(control, operation);
                }
                return Ok(new.instance);
            }
            // Another request took the room between our look and our claim.
            Insertion::HostFull => tried.push(host_id),
            Insertion::GroupGone => return Err(RequestError::NoGroup),
            Insertion::OverQuota(over) => return Err(RequestError::OverQuota(over)),
        }
    }
}

fn placing(request: &CreateInstance, record: Option<PlacementRecord>) -> Placing {
    Placing { group: request.wishes.group, hints: request.wishes.hints.clone(), record }
}

/// Keeps an instance for which there is no host, so that its owner sees why.
async fn refuse(
    control: &Control,
    instance: Instance,
    request: &CreateInstance,
    reason: String,
    record: Option<PlacementRecord>,
) -> Result<Instance, RequestError> {
    let state = InstanceState::Error { fault: Fault::new(FaultKind::NoValidHost, reason) };
    let new = NewInstance {
        instance: Instance { state, task: None, ..instance },
        placement: None,
        operation: None,
        quota: request.quota.clone(),
        user_data: None,
        placing: placing(request, record),
    };
    match control.database().insert_instance(&new).await? {
        Insertion::Inserted | Insertion::HostFull => Ok(new.instance),
        Insertion::GroupGone => Err(RequestError::NoGroup),
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
        extra_disks: Vec::new(),
        config_drive: false,
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
    request: &CreateInstance,
    disk_bytes: u64,
    placed: &Placed,
) -> Operation {
    let state = Create::new(instance, request, disk_bytes, placed);
    crate::power::new_operation(control, who, Create::KIND, Subject::Instance(instance.id), &state)
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

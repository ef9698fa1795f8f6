//! The request to move an instance: what is asked for, whether it may be, where to, and the room there.

use std::collections::BTreeMap;

use cuttle_database::{Begin, Begun, InstanceUsage, Mark, QuotaScope, Room, WhenBusy};
use cuttle_model::disk::Disk;
use cuttle_model::disk_limits::DiskLimits;
use cuttle_model::flavor::Flavor;
use cuttle_model::host::HostName;
use cuttle_model::ids::{HostId, InstanceId, MigrationId};
use cuttle_model::instance::{Instance, InstanceState};
use cuttle_model::machine::{self, Decision, Refusal, Request};
use cuttle_model::migration::{MigrationKind, NewMigration};
use cuttle_model::operation::{OperationKind, Subject};
use cuttle_scheduler::Target;

use super::relocation::{Place, Relocation};
use super::resize::Resize;
use crate::placement::{self, Ask};
use crate::power::{conflict, new_operation};
use crate::{Control, RequestError, Requester};

const GIB: u64 = 1 << 30;

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Move {
    /// Another flavor, wherever there is room for it.
    Resize { flavor: Box<Flavor>, quota: Option<QuotaScope> },
    /// Another host: this one, or whichever is best.
    Migrate { host: Option<HostName> },
}

impl Move {
    fn request(&self) -> Request {
        match self {
            Self::Resize { .. } => Request::Resize,
            Self::Migrate { .. } => Request::Migrate,
        }
    }

    fn kind(&self) -> OperationKind {
        match self {
            Self::Resize { .. } => OperationKind::ResizeInstance,
            Self::Migrate { .. } => OperationKind::MigrateInstance,
        }
    }

    fn migration(&self) -> MigrationKind {
        match self {
            Self::Resize { .. } => MigrationKind::Resize,
            Self::Migrate { .. } => MigrationKind::Migration,
        }
    }
}

/// Begins to move an instance.
pub async fn begin(control: &Control, who: &Requester, id: InstanceId, what: Move) -> Result<(), RequestError> {
    let mut tried = Vec::new();
    loop {
        let instance = control.database().get_instance(id).await?.ok_or(RequestError::NotFound)?;
        let task = match machine::decide(instance.state.name(), instance.task, what.request()) {
            Decision::Accept(task) => task,
            Decision::AlreadyDone => return Ok(()),
            Decision::Refuse(Refusal::Gone) => return Err(RequestError::NotFound),
            Decision::Refuse(Refusal::State | Refusal::Busy) => return Err(conflict(&instance, what.request())),
        };
        let (Some(here), Some(disk)) = (instance.host_id, instance.root_disk.clone()) else {
            return Err(RequestError::NoDisk);
        };
        let flavor = match &what {
            Move::Resize { flavor, .. } => (**flavor).clone(),
            Move::Migrate { .. } => instance.flavor.clone(),
        };
        let size_bytes = match &what {
            Move::Resize { .. } => new_size(&instance, &disk, &flavor)?,
            Move::Migrate { .. } => disk.size_bytes,
        };
        let grown = size_bytes - disk.size_bytes;
        let target = match &what {
            Move::Migrate { host: Some(name) } => Target::Asked(asked_for(control, name, here).await?),
            Move::Migrate { host: None } | Move::Resize { .. } => Target::Any,
        };
        // Another flavor may be had where it is.
        let left = matches!(what, Move::Migrate { .. }).then_some(here);
        let excluded: Vec<HostId> = tried.iter().copied().chain(left).collect();
        let image_properties = image_properties(control, &instance).await?;
        let ask = Ask {
            disk_bytes: grown,
            image_properties: &image_properties,
            target,
            excluded: &excluded,
            ..Ask::for_instance(&instance, &flavor)
        };
        let placed = placement::choose(control, &ask).await?.map_err(|refusal| RequestError::NoValidHost(refusal.text))?;
        let quota = match &what {
            Move::Resize { quota: Some(quota), .. } => {
                let more = InstanceUsage::of_flavor(&flavor).beyond(&InstanceUsage::of_flavor(&instance.flavor));
                Some((quota.clone(), more))
            }
            Move::Resize { quota: None, .. } | Move::Migrate { .. } => None,
        };
        let ran = instance.state == InstanceState::Active;
        let migration = NewMigration {
            id: MigrationId::new(control.ids()),
            kind: what.migration(),
            source: here,
            destination: placed.host_id,
            old_flavor: instance.flavor.id.clone(),
            new_flavor: flavor.id.clone(),
        };
        let from = Place { host_id: here, flavor: instance.flavor.clone() };
        let to = Place { host_id: placed.host_id, flavor: flavor.clone() };
        let relocation = Relocation::new(id, instance.epoch, from, to, ran, ran);
        let state = Resize::new(relocation, instance.project_id, (grown > 0).then_some((disk, size_bytes)));
        let operation = new_operation(control, who, what.kind(), Subject::Instance(id), &state);
        let record = ask.record(control, what.kind(), Some(operation.id), placed.reasons);
        let begin = Begin {
            operation,
            mark: Mark::Instance { generation: instance.generation, task },
            when_busy: WhenBusy::Refuse,
            room: Some(Room { placement: placed.placement, quota, migration, record }),
        };
        match control.database().begin_operation(&begin).await? {
            Begun::Begun => {
                control.engine().start(control, begin.operation);
                return Ok(());
            }
            Begun::Busy | Begun::Waiting => return Err(conflict(&instance, what.request())),
            // Another request took the room between our look and our claim.
            Begun::HostFull => tried.push(placed.host_id),
            Begun::OverQuota(over) => return Err(RequestError::OverQuota(over)),
            Begun::Stale => {}
        }
    }
}

/// How large the root disk becomes, or why the flavor cannot be had.
fn new_size(instance: &Instance, disk: &Disk, flavor: &Flavor) -> Result<u64, RequestError> {
    let bad = |why: String| Err(RequestError::BadResize(why));
    if flavor.id == instance.flavor.id {
        return bad("When resizing, instances must change flavor!".to_owned());
    }
    if let Err(error) = DiskLimits::from_extra_specs(&flavor.extra_specs) {
        return Err(RequestError::BadFlavor(error));
    }
    if flavor.extra_disks() != instance.flavor.extra_disks() {
        return bad(format!(
            "Flavor {} has other ephemeral or swap disks than the instance: they cannot be changed by a resize.",
            flavor.name
        ));
    }
    let size_bytes = match flavor.disk_gib {
        // As large as the image, which is what it is where the old flavor said so too.
        0 if instance.flavor.disk_gib == 0 => disk.size_bytes,
        0 => return bad(format!("Flavor {} has no root disk size, and a disk is never made smaller.", flavor.name)),
        gib => gib * GIB,
    };
    if size_bytes < disk.size_bytes {
        return bad(format!(
            "The disk of flavor {} is smaller than the instance's, which has {} GiB: a disk is never made smaller.",
            flavor.name,
            disk.size_bytes.div_ceil(GIB)
        ));
    }
    Ok(size_bytes)
}

/// The host that was asked for. Whether it can be had, the placement says.
async fn asked_for(control: &Control, name: &HostName, here: HostId) -> Result<HostId, RequestError> {
    let host = control.database().find_host(name).await?.ok_or_else(|| RequestError::NoSuchHost(name.clone()))?;
    match host.id == here {
        true => Err(RequestError::SameHost(name.clone())),
        false => Ok(host.id),
    }
}

/// What the instance's image asks of hosts; nothing where the image is gone.
async fn image_properties(control: &Control, instance: &Instance) -> Result<BTreeMap<String, String>, RequestError> {
    let Some(id) = instance.image_id else { return Ok(BTreeMap::new()) };
    Ok(control.database().get_image(id).await?.map(|image| image.properties).unwrap_or_default())
}

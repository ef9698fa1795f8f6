//! The steps that make an instance: its disks, and its guest for the first time.
//!
//! Where the instance is and in which epoch is what its row says: a guest that could not be made on one host is made on
//! another ([`super::elsewhere`]), and the step may end before the journal knows.

use cuttle_database::BuildOutcome;
use cuttle_model::disk::Disk;
use cuttle_model::fault::FaultKind;
use cuttle_model::flavor::Flavor;
use cuttle_model::ids::{Epoch, HostId, ImageId, InstanceId, ProjectId};
use cuttle_model::instance::{Instance, InstanceState, PowerState, Task};
use cuttle_model::operation::OperationKind;
use serde::{Deserialize, Serialize};

use super::{CreateInstance, elsewhere};
use crate::config_drive;
use crate::disks::{self, DiskOwner};
use crate::engine::{ClaimEnd, Context, Outcome, Step, StepError, Steps, step};
use crate::guest::{self, GuestRun};
use crate::placement::{Placed, Wishes};

/// The operation's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Create {
    pub(super) instance_id: InstanceId,
    project_id: ProjectId,
    name: String,
    pub(super) flavor: Flavor,
    pub(super) image_id: ImageId,
    disk_bytes: u64,
    config_drive: bool,
    pub(super) host_id: HostId,
    /// Earlier guests could not be made there.
    #[serde(default)]
    host_failed: bool,
    pub(super) epoch: Epoch,
    /// Those that were made, in the order in which the guest sees them.
    disks: Vec<Disk>,
    /// The hosts on which its guest could not be made.
    #[serde(default)]
    pub(super) tried: Vec<HostId>,
    /// What is wanted of its host.
    #[serde(default)]
    pub(super) wishes: Wishes,
}

impl Steps for Create {
    const KIND: OperationKind = OperationKind::CreateInstance;

    fn steps() -> Vec<Step<Self>> {
        vec![
            step!("make disks", make_disks, undo: trash_disks),
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
                instance.extra_disks = Vec::new();
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

impl Create {
    pub(super) fn new(instance: &Instance, request: &CreateInstance, disk_bytes: u64, placed: &Placed) -> Self {
        Self {
            instance_id: instance.id,
            project_id: instance.project_id,
            name: instance.name.clone(),
            flavor: instance.flavor.clone(),
            image_id: request.image.id,
            disk_bytes,
            config_drive: instance.config_drive,
            host_id: placed.host_id,
            host_failed: placed.failed_builds > 0,
            epoch: instance.epoch,
            disks: Vec::new(),
            tried: Vec::new(),
            wishes: request.wishes.clone(),
        }
    }

    /// Takes host and epoch from the row: an attempt that was cut off may have changed them.
    async fn look(&mut self, context: &Context) -> Result<(), StepError> {
        let instance = context.instance().await?;
        if let Some(host) = instance.host_id.filter(|host| *host != self.host_id) {
            self.moved_to(host, false);
        }
        self.epoch = instance.epoch;
        Ok(())
    }

    /// The instance is to be made on another host.
    pub(super) fn moved_to(&mut self, host: HostId, host_failed: bool) {
        self.tried.push(self.host_id);
        self.host_id = host;
        self.host_failed = host_failed;
    }
}

async fn make_disks(context: &Context, state: &mut Create) -> Result<(), StepError> {
    let owner = DiskOwner { instance_id: state.instance_id, project_id: state.project_id };
    let extra = state.flavor.extra_disks();
    let root = disks::make_root(context, owner, state.image_id, state.disk_bytes);
    let drive = async {
        match state.config_drive {
            true => config_drive::make(context, owner).await.map(Some),
            false => Ok(None),
        }
    };
    // Each is waited for, also where another one fails: nothing is left half written behind our back.
    let (root, extra, drive) = tokio::join!(root, disks::make_empty(context, owner, &extra), drive);
    let (root, mut extra) = (root?, extra?);
    extra.extend(drive?);
    state.disks = std::iter::once(root.clone()).chain(extra.iter().cloned()).collect();
    context
        .update_instance(|instance| {
            instance.root_disk = Some(root.clone());
            instance.extra_disks = extra.clone();
            // Unless it is being deleted meanwhile.
            if instance.task == Some(Task::MakingDisk) {
                instance.task = Some(Task::Spawning);
            }
        })
        .await
}

/// Moves the disks to the trash, whether or not the step came to know that they exist.
async fn trash_disks(context: &Context, state: &mut Create) -> Result<(), StepError> {
    context.control.admin_passwords().forget(state.instance_id);
    disks::trash_by_name(context, state.instance_id).await?;
    state.disks = Vec::new();
    context
        .update_instance(|instance| {
            instance.root_disk = None;
            instance.extra_disks = Vec::new();
        })
        .await
}

async fn create_guest(context: &Context, state: &mut Create) -> Result<(), StepError> {
    state.look(context).await?;
    let Err(error) = guest::create_paused(context, &state.guest_run()?).await else { return Ok(()) };
    let StepError::Failed(fault) = error else { return Err(error) };
    context.control.database().record_build(state.host_id, BuildOutcome::Failed).await?;
    Err(elsewhere::go_on(context, state, fault).await)
}

async fn destroy_guest(context: &Context, state: &mut Create) -> Result<(), StepError> {
    state.look(context).await?;
    guest::make_void(context, state.instance_id, state.host_id, state.epoch).await
}

async fn record_clients(context: &Context, state: &mut Create) -> Result<(), StepError> {
    guest::record_clients(context, &state.guest_run()?).await
}

async fn run_guest(context: &Context, state: &mut Create) -> Result<(), StepError> {
    guest::resume(context, &state.guest_run()?).await?;
    if state.host_failed {
        context.control.database().record_build(state.host_id, BuildOutcome::Made).await?;
    }
    Ok(())
}

impl Create {
    fn guest_run(&self) -> Result<GuestRun, StepError> {
        if self.disks.is_empty() {
            return Err(StepError::failed(FaultKind::Internal, "the disks were not made"));
        }
        Ok(GuestRun {
            instance_id: self.instance_id,
            project_id: self.project_id,
            name: self.name.clone(),
            flavor: self.flavor.clone(),
            host_id: self.host_id,
            epoch: self.epoch,
            disks: self.disks.clone(),
        })
    }
}

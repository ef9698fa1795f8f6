//! Running a guest, and making sure that one does not run: what create, start, reboot, stop and delete share.
//!
//! ```text
//! new epoch ─► create paused ─► read watchers, record them, allow (one transaction) ─► resume
//! ```
//! A guest that was never resumed has written nothing. So whatever could write was recorded before it
//! could, and a later start (or a fence) knows every client by its address.

use std::collections::BTreeMap;
use std::time::Duration;

use cuttle_compute_protocol::{Action, Command, GuestDisk, GuestSpec, ShutdownMode};
use cuttle_model::client::{ClientProof, DiskClient};
use cuttle_model::clock::Timestamp;
use cuttle_model::disk::Disk;
use cuttle_model::disk_limits::DiskLimits;
use cuttle_model::fault::FaultKind;
use cuttle_model::flavor::Flavor;
use cuttle_model::ids::{CommandId, Epoch, HostId, InstanceId, ProjectId};
use cuttle_model::instance::{Instance, PowerState};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Control;
use crate::agent::{Answer, ask_in_step};
use crate::engine::{Context, StepError};

/// A guest that an operation runs: which instance's, where, in which epoch, and of what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GuestRun {
    pub instance_id: InstanceId,
    pub project_id: ProjectId,
    pub name: String,
    pub flavor: Flavor,
    pub host_id: HostId,
    pub epoch: Epoch,
    /// In the order in which the guest sees them; it boots from the first.
    pub disks: Vec<Disk>,
}

/// Creates the guest, paused.
pub(crate) async fn create_paused(context: &Context, run: &GuestRun) -> Result<(), StepError> {
    let action = Action::CreateGuest { spec: Box::new(run.spec()?) };
    let patience = context.control.settings().command_timeout();
    match context.or_cancelled(ask_in_step(context, run.host_id, run.instance_id, run.epoch, action, patience)).await?? {
        Answer::Guest(_) => Ok(()),
        Answer::Gone | Answer::NoGuest => {
            Err(StepError::retry(FaultKind::Hypervisor, "the guest was gone as soon as it was created"))
        }
    }
}

/// Records who may write, and allows the guest to run.
pub(crate) async fn record_clients(context: &Context, run: &GuestRun) -> Result<(), StepError> {
    let control = &context.control;
    let clients = futures::future::try_join_all(run.disks.iter().map(|disk| clients_of(context, run, disk))).await?.concat();
    match control.database().allow_running(run.instance_id, run.epoch, &clients).await? {
        true => Ok(()),
        false => Err(StepError::failed(FaultKind::Internal, format!("epoch {} of the instance is over", run.epoch))),
    }
}

/// Who has opened one of the guest's disks, as it is recorded. Each disk has a client of its own.
async fn clients_of(context: &Context, run: &GuestRun, disk: &Disk) -> Result<Vec<DiskClient>, StepError> {
    let addresses = watchers(context, disk).await?;
    if addresses.is_empty() {
        return Err(StepError::retry(FaultKind::Storage, format!("nobody has opened {} yet", disk.name)));
    }
    let recorded_at = context.control.now();
    let client = |address| DiskClient {
        instance_id: run.instance_id,
        epoch: run.epoch,
        host_id: run.host_id,
        pool: disk.pool.clone(),
        image_id: disk.image_id.clone(),
        address,
        recorded_at,
    };
    Ok(addresses.into_iter().map(client).collect())
}

/// Lets the guest run.
pub(crate) async fn resume(context: &Context, run: &GuestRun) -> Result<(), StepError> {
    let patience = context.control.settings().command_timeout();
    let asked = ask_in_step(context, run.host_id, run.instance_id, run.epoch, Action::ResumeGuest, patience);
    match context.or_cancelled(asked).await?? {
        Answer::Guest(PowerState::Running) => Ok(()),
        Answer::Guest(power) => {
            Err(StepError::retry(FaultKind::Hypervisor, format!("the guest is {} instead of running", power.as_str())))
        }
        // Its process ended after it was created; undoing makes sure, and a new start begins a new epoch.
        Answer::Gone | Answer::NoGuest => Err(StepError::failed(FaultKind::Hypervisor, "the guest ended before it could run")),
    }
}

/// Undoes whatever became of this epoch: no guest of it runs or will, and no client of it can write.
pub(crate) async fn make_void(context: &Context, instance: InstanceId, host: HostId, epoch: Epoch) -> Result<(), StepError> {
    stop_for_certain(context, instance, host, epoch, ShutdownMode::Force).await?;
    prove_clients_gone(context, instance, epoch).await
}

/// Makes sure, by the agent's word, that no guest of this instance runs on `host` and that none of
/// this epoch or an older one will.
pub(crate) async fn stop_for_certain(
    context: &Context,
    instance: InstanceId,
    host: HostId,
    epoch: Epoch,
    mode: ShutdownMode,
) -> Result<(), StepError> {
    let shutdown = match mode {
        ShutdownMode::Clean { timeout_seconds } => Duration::from_secs(timeout_seconds),
        ShutdownMode::Force => Duration::ZERO,
    };
    let patience = context.control.settings().command_timeout() + shutdown;
    match ask_in_step(context, host, instance, epoch, Action::StopGuest { mode }, patience).await? {
        Answer::Gone | Answer::NoGuest => Ok(()),
        Answer::Guest(power) => Err(StepError::retry(FaultKind::Hypervisor, format!("the guest is still {}", power.as_str()))),
    }
}

/// What tells a host to forget an instance: good for ever, as a host that comes back after a month must still do it.
pub(crate) fn forget_command(context: &Context, instance_id: InstanceId, host: HostId, epoch: Epoch) -> Command {
    let name = format!("forget_guest {host}");
    let id = CommandId::from_uuid(Uuid::new_v5(&context.operation.as_uuid(), name.as_bytes()));
    Command { id, instance_id, epoch, action: Action::ForgetGuest, not_after: Timestamp::from_micros(i64::MAX) }
}

/// Lets a host that an instance has left forget it, whenever it hears of it.
pub(crate) async fn forget_there(context: &Context, instance: InstanceId, host: HostId, epoch: Epoch) -> Result<(), StepError> {
    let command = forget_command(context, instance, host, epoch);
    Ok(context.control.database().insert_command(host, &command).await?)
}

/// Closes the records of clients whose process is known to be gone, once the disk has no watcher with
/// their address. A killed process's watch lasts for up to half a minute.
pub(crate) async fn prove_clients_gone(context: &Context, instance: InstanceId, through: Epoch) -> Result<(), StepError> {
    close_records(&context.control, instance, through).await
}

/// As [`prove_clients_gone`], outside an operation.
pub(crate) async fn close_records(control: &Control, instance: InstanceId, through: Epoch) -> Result<(), StepError> {
    let open = control.database().open_clients(instance).await?;
    if open.is_empty() {
        return Ok(());
    }
    let disks: BTreeMap<(&str, &str), ()> =
        open.iter().map(|client| ((client.pool.as_str(), client.image_id.as_str()), ())).collect();
    for (pool, image_id) in disks.into_keys() {
        // An image that is gone has no watchers.
        for watcher in control.ceph().pool(pool).watchers_by_id(image_id).await?.unwrap_or_default() {
            if open.iter().any(|client| client.image_id == image_id && client.address == watcher.address) {
                return Err(StepError::retry(
                    FaultKind::Storage,
                    format!("Ceph still lists {} as a client of the disk, though its process is gone", watcher.address),
                ));
            }
        }
    }
    control.database().close_clients(instance, through, ClientProof::Gone, control.now()).await?;
    Ok(())
}

/// The addresses of the clients that have opened a disk, without our own.
async fn watchers(context: &Context, disk: &Disk) -> Result<Vec<String>, StepError> {
    let watchers = context.control.ceph().pool(&disk.pool).watchers_by_id(&disk.image_id).await?;
    let watchers = watchers.ok_or_else(|| StepError::failed(FaultKind::Storage, format!("the disk {} is gone", disk.name)))?;
    let mut addresses: Vec<String> = watchers.into_iter().filter(|watcher| !watcher.own).map(|watcher| watcher.address).collect();
    addresses.sort();
    addresses.dedup();
    Ok(addresses)
}

/// What begins the next run of an instance that has run before: the old guest proven gone, and a new epoch.
pub(crate) async fn begin_run(context: &Context) -> Result<GuestRun, StepError> {
    let instance = context.instance().await?;
    let incomplete = |what: &str| StepError::failed(FaultKind::Internal, format!("the instance has no {what}"));
    let host_id = instance.host_id.ok_or_else(|| incomplete("host"))?;
    if instance.root_disk.is_none() {
        return Err(incomplete("root disk"));
    }
    let disks = instance.disks().cloned().collect();
    let epoch = context.control.database().begin_epoch(instance.id, instance.epoch, host_id).await?;
    let Some(epoch) = epoch else {
        return Err(StepError::retry(FaultKind::Storage, "a client of an older epoch may still write to the disk"));
    };
    let Instance { id, project_id, name, flavor, .. } = instance;
    Ok(GuestRun { instance_id: id, project_id, name, flavor, host_id, epoch, disks })
}

/// Proves that no client of an older epoch can write, unless that is on record.
pub(crate) async fn prove_gone(context: &Context, instance: InstanceId) -> Result<(), StepError> {
    if context.control.database().open_clients(instance).await?.is_empty() {
        return Ok(());
    }
    let instance = context.instance().await?;
    let host = instance.host_id.ok_or_else(|| StepError::failed(FaultKind::Internal, "the instance has no host"))?;
    make_void(context, instance.id, host, instance.epoch).await
}

impl GuestRun {
    fn spec(&self) -> Result<GuestSpec, StepError> {
        let limits = DiskLimits::from_extra_specs(&self.flavor.extra_specs)
            .map_err(|error| StepError::failed(FaultKind::Internal, format!("the flavor's {error}")))?;
        let disk = |disk: &Disk| GuestDisk {
            role: disk.role,
            pool: disk.pool.clone(),
            image: disk.name.clone(),
            serial: format!("{}{}", disk.role.serial_prefix(), self.instance_id).chars().take(20).collect(),
            limits: if disk.role.is_writable() { limits.clone() } else { DiskLimits::default() },
        };
        Ok(GuestSpec {
            name: self.name.clone(),
            project_id: self.project_id.to_string(),
            vcpus: self.flavor.vcpus,
            ram_mib: self.flavor.ram_mib,
            disks: self.disks.iter().map(disk).collect(),
            properties: BTreeMap::new(),
        })
    }
}

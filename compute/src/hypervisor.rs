//! What the agent needs of a hypervisor, and nothing more.
//!
//! [`crate::libvirt::Libvirt`] is the one that ships. The trait is narrow so that another one can pass
//! the same tests.
//!
//! Always true: no call blocks a runtime thread; each has a deadline, after which the caller is free
//! and the outcome is unknown; each may be repeated.

use std::time::Duration;

use async_trait::async_trait;
use cuttle_compute_protocol::HeldSecret;
use cuttle_model::ids::{Epoch, InstanceId};
use cuttle_model::instance::PowerState;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::domain_xml::Blueprint;
use crate::secret::CephSecret;

/// Runs guests.
#[async_trait]
pub trait Hypervisor: Send + Sync {
    /// What the machine and its software are.
    async fn node(&self) -> Result<Node, HypervisorError>;

    /// Every guest of ours that has a process.
    async fn guests(&self) -> Result<Vec<Guest>, HypervisorError>;

    /// The guest of one instance.
    async fn find(&self, instance: InstanceId) -> Result<Found, HypervisorError>;

    /// Makes sure that the hypervisor holds this key under this UUID, whatever it held before.
    async fn assert_secret(&self, secret: &CephSecret) -> Result<Healed, HypervisorError>;

    /// What a secret that somebody else made is good for. It is looked at, never changed.
    async fn look_at_secret(&self, uuid: Uuid) -> Result<SecretState, HypervisorError>;

    /// Forgets the secrets of ours but for these.
    async fn forget_secrets_but(&self, kept: &[Uuid]) -> Result<(), HypervisorError>;

    /// The Ceph clients of all guests that have a process.
    async fn ceph_clients(&self) -> Result<Vec<String>, HypervisorError>;

    /// The secrets of Ceph's kind that it holds, without their keys. One that keeps none has none.
    async fn ceph_secrets(&self) -> Result<Vec<HeldSecret>, HypervisorError> {
        Ok(Vec::new())
    }

    /// Creates a guest, paused. There must be none of that instance.
    async fn create(&self, blueprint: &Blueprint) -> Result<(), HypervisorError>;

    /// Lets a paused guest run. A guest that runs is left alone.
    async fn resume(&self, instance: InstanceId) -> Result<(), HypervisorError>;

    /// Lets a guest stand still; one that does is left so.
    async fn pause(&self, instance: InstanceId) -> Result<(), HypervisorError>;

    /// Presses the guest's power button. The guest may ignore it.
    async fn press_power_button(&self, instance: InstanceId) -> Result<(), HypervisorError>;

    /// Ends the guest. `Ok` only once it is proven that no process of it exists and that no creation
    /// of it is under way.
    async fn destroy(&self, instance: InstanceId) -> Result<(), HypervisorError>;

    /// Waits until the guest has ended, or for this long. Whether it has ended.
    async fn wait_gone(&self, instance: InstanceId, timeout: Duration) -> Result<bool, HypervisorError>;

    /// How long the last answer took.
    fn last_call(&self) -> Duration;
}

/// A guest that has a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    pub instance_id: InstanceId,
    /// The epoch in which it was created.
    pub epoch: Epoch,
    /// [`PowerState::Unknown`] as long as its creation is under way: it may not have opened its disks yet.
    pub power: PowerState,
    /// It is paused because its storage failed.
    pub storage_failed: bool,
}

/// What had to be done for a secret to be as it must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Healed {
    /// It was there; only its value was set again.
    AsExpected,
    /// It was not there.
    Missing,
    /// Another one was in its place.
    Foreign,
}

/// What a secret is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretState {
    /// It has a value, or is private, so that nobody can tell.
    Usable,
    Missing,
    NoValue,
    /// It is not for Ceph.
    OtherUse,
}

/// Who holds the UUID of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nobody.
    Nothing,
    /// A guest that an agent created.
    Ours(Guest),
    /// A domain that somebody else created. It is never touched.
    Foreign,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub vcpus: u32,
    pub ram_mib: u64,
    pub architecture: String,
    pub libvirt_version: String,
    pub hypervisor_version: String,
}

/// Something that happened without being asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A connection was made, for the first time or again: events may have been missed.
    Connected,
    /// A guest changed. If it ended, this is how.
    Changed { instance_id: InstanceId, ended: Option<PowerState> },
    /// Somebody removed a secret.
    SecretRemoved(Uuid),
    /// Somebody other than us gave a secret a value.
    SecretChanged(Uuid),
}

/// Where events arrive.
pub type Events = mpsc::UnboundedReceiver<Event>;

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HypervisorError {
    /// It was refused, or went wrong in a way that asking again does not change.
    #[error("{0}")]
    Broken(String),
    /// It went wrong in a way that may pass.
    #[error("{0}")]
    Passing(String),
    /// No answer came in time. What was done is not known.
    #[error("cannot {what}: no answer within {} s, the outcome is unknown", .waited.as_secs())]
    NoAnswer { what: String, waited: Duration },
    /// So many calls hang that this one was not begun.
    #[error("cannot {what}: all {limit} places are taken by calls without an answer, nothing was begun")]
    Busy { what: String, limit: usize },
    /// The guest's process is still there.
    #[error("the guest of instance {instance} still has a process {} s after it was ended (pids {pids:?})", .waited.as_secs())]
    StillThere { instance: InstanceId, pids: Vec<i32>, waited: Duration },
}

impl HypervisorError {
    /// Whether asking again may help.
    pub fn is_worth_retrying(&self) -> bool {
        !matches!(self, Self::Broken(_))
    }
}

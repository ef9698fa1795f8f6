//! A machine that runs guests in memory: each opens its disks in the [`MemoryCluster`] as QEMU does, one client a disk.
//!
//! What always holds: one guest an instance; a guest is created paused. It outlives whoever drives it, as libvirt does. The
//! watches of a process end with it, unless [`MemoryHypervisor::set_afterlife`] lets them last, as those of a killed one do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use cuttle_compute::domain_xml::Blueprint;
use cuttle_compute::hypervisor::{Event, Events, Found, Guest, Healed, Hypervisor, HypervisorError, Node, SecretState};
use cuttle_compute::secret::CephSecret;
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::PowerState;
use cuttle_rbd_backend::{Class, ImageRef, Storage, WriteImage, WriterOptions};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use crate::MemoryCluster;

/// The machine. Clones are the same one.
#[derive(Clone)]
pub struct MemoryHypervisor(Arc<Inner>);

struct Inner {
    cluster: MemoryCluster,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    guests: BTreeMap<InstanceId, Process>,
    foreign: BTreeSet<InstanceId>,
    deaf: bool,
    afterlife: Option<Arc<Afterlife>>,
    listeners: Vec<mpsc::UnboundedSender<Event>>,
}

struct Process {
    guest: Guest,
    watches: Watches,
}

/// A process's open disks: each is a watch until this is dropped.
pub struct Watches {
    pub instance: InstanceId,
    /// Each disk's client.
    pub addresses: Vec<String>,
    disks: Vec<Box<dyn WriteImage>>,
}

/// What becomes of the watches of a process that has ended.
pub type Afterlife = dyn Fn(Watches) + Send + Sync;

impl MemoryHypervisor {
    pub fn new(cluster: MemoryCluster) -> Self {
        Self(Arc::new(Inner { cluster, state: Mutex::default(), changed: Notify::new() }))
    }

    /// Every event from now on.
    pub fn events(&self) -> Events {
        let (sender, events) = mpsc::unbounded_channel();
        let _ = sender.send(Event::Connected);
        self.lock().listeners.push(sender);
        events
    }

    /// Whether guests ignore their power button.
    pub fn set_deaf(&self, deaf: bool) {
        self.lock().deaf = deaf;
    }

    /// Who is given the watches of processes that end, to drop them later.
    pub fn set_afterlife(&self, afterlife: Arc<Afterlife>) {
        self.lock().afterlife = Some(afterlife);
    }

    /// A guest's process is killed.
    pub fn kill(&self, instance: InstanceId) {
        self.end(instance, PowerState::Crashed);
    }

    /// Somebody else makes a domain with the UUID of an instance.
    pub fn make_foreign(&self, instance: InstanceId) {
        self.lock().foreign.insert(instance);
    }

    fn end(&self, instance: InstanceId, how: PowerState) {
        let (ended, afterlife) = {
            let mut state = self.lock();
            (state.guests.remove(&instance), state.afterlife.clone())
        };
        if let Some(process) = ended {
            match afterlife {
                Some(afterlife) => afterlife(process.watches),
                // Its disks are closed when the event is there.
                None => drop(process),
            }
            self.tell(instance, Some(how));
        }
    }

    fn set_power(&self, instance: InstanceId, power: PowerState) -> Result<(), HypervisorError> {
        match self.lock().guests.get_mut(&instance) {
            Some(process) => process.guest.power = power,
            None => return Err(broken(format!("there is no guest of instance {instance}"))),
        }
        self.tell(instance, None);
        Ok(())
    }

    fn tell(&self, instance_id: InstanceId, ended: Option<PowerState>) {
        self.lock().listeners.retain(|listener| listener.send(Event::Changed { instance_id, ended }).is_ok());
        self.0.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn broken(why: impl Into<String>) -> HypervisorError {
    HypervisorError::Broken(why.into())
}

#[async_trait]
impl Hypervisor for MemoryHypervisor {
    async fn node(&self) -> Result<Node, HypervisorError> {
        Ok(Node {
            vcpus: 64,
            ram_mib: 64 << 10,
            architecture: "x86_64".to_owned(),
            libvirt_version: "1.0.0".to_owned(),
            hypervisor_version: "1.0.0".to_owned(),
        })
    }

    async fn guests(&self) -> Result<Vec<Guest>, HypervisorError> {
        Ok(self.lock().guests.values().map(|process| process.guest.clone()).collect())
    }

    async fn find(&self, instance: InstanceId) -> Result<Found, HypervisorError> {
        let state = self.lock();
        if state.foreign.contains(&instance) {
            return Ok(Found::Foreign);
        }
        Ok(state.guests.get(&instance).map_or(Found::Nothing, |process| Found::Ours(process.guest.clone())))
    }

    async fn assert_secret(&self, _secret: &CephSecret) -> Result<Healed, HypervisorError> {
        Ok(Healed::AsExpected)
    }

    async fn look_at_secret(&self, _uuid: Uuid) -> Result<SecretState, HypervisorError> {
        Ok(SecretState::Usable)
    }

    async fn forget_secrets_but(&self, _kept: &[Uuid]) -> Result<(), HypervisorError> {
        Ok(())
    }

    async fn ceph_clients(&self) -> Result<Vec<String>, HypervisorError> {
        Ok(Vec::new())
    }

    async fn create(&self, blueprint: &Blueprint) -> Result<(), HypervisorError> {
        let instance_id = blueprint.instance_id;
        let mut watches = Watches { instance: instance_id, addresses: Vec::new(), disks: Vec::new() };
        for disk in &blueprint.spec.disks {
            let client = self.0.cluster.client();
            watches.addresses.push(client.address().to_owned());
            let opened = client.pool(&disk.pool).open_writer(ImageRef::from(&disk.image), WriterOptions::default()).await;
            watches.disks.push(opened.map_err(|error| match error.class() {
                Class::Retry | Class::Unknown => HypervisorError::Passing(error.to_string()),
                Class::Gone | Class::Refused | Class::Broken => broken(error.to_string()),
            })?);
        }
        {
            let mut state = self.lock();
            if state.guests.contains_key(&instance_id) || state.foreign.contains(&instance_id) {
                return Err(broken(format!("a domain of instance {instance_id} is there already")));
            }
            let guest = Guest { instance_id, epoch: blueprint.epoch, power: PowerState::Paused, storage_failed: false };
            state.guests.insert(instance_id, Process { guest, watches });
        }
        self.tell(instance_id, None);
        Ok(())
    }

    async fn resume(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        self.set_power(instance, PowerState::Running)
    }

    async fn pause(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        self.set_power(instance, PowerState::Paused)
    }

    async fn press_power_button(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        if !self.lock().deaf {
            self.end(instance, PowerState::Shutdown);
        }
        Ok(())
    }

    async fn destroy(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        self.end(instance, PowerState::Shutdown);
        Ok(())
    }

    async fn wait_gone(&self, instance: InstanceId, timeout: Duration) -> Result<bool, HypervisorError> {
        let gone = async {
            loop {
                let changed = self.0.changed.notified();
                if !self.lock().guests.contains_key(&instance) {
                    return;
                }
                changed.await;
            }
        };
        Ok(tokio::time::timeout(timeout, gone).await.is_ok())
    }

    fn last_call(&self) -> Duration {
        Duration::ZERO
    }
}

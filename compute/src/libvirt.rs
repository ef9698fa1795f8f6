//! libvirt as the [`Hypervisor`]: lanes of calls, domains, secrets and events.
//!
//! ```text
//!   control ─ find, list, resume, secrets, power button ┐
//!   create  ─ create                                    ├─► libvirtd (a connection each)
//!   stop    ─ destroy                                   │
//!   events  ─ lifecycle events, one thread              ┘
//! ```
//! They are apart because a creation hangs while the storage is away, and nothing may stand behind it:
//! least of all the order to end a guest.
//!
//! `unsafe` and libvirt's C functions are named in this directory only. `virt-sys` is used directly:
//! the safe crate above it leaks, aborts and frees wrongly in places that an agent needs.

mod connection;
mod domain;
mod error;
mod events;
mod lane;
mod secret;
mod secret_events;
mod usage;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cuttle_compute_protocol::HeldSecret;
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::PowerState;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::domain_xml::{self, Blueprint};
use crate::hypervisor::{Events, Found, Guest, Healed, Hypervisor, HypervisorError, Node, SecretState};
use crate::process;
use crate::secret::CephSecret;
use lane::Lane;
use secret::OwnValues;

/// How long a process that libvirt no longer knows is left to end by itself before it is killed.
const ORPHAN_GRACE: Duration = Duration::from_secs(2);
/// How often the world is looked at while something is waited for and no event comes.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The probe's guest is no instance's, but has a UUID all the same.
const PROBE: InstanceId = InstanceId::from_uuid(domain_xml::probe::PROBE_UUID);

/// How long calls may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For calls that libvirt answers from memory, or with one word to QEMU.
    pub call: Duration,
    /// For creating a guest.
    pub create: Duration,
    /// For ending a guest, until its process is gone.
    pub destroy: Duration,
}

/// A libvirtd.
pub struct Libvirt {
    control: Lane,
    create: Lane,
    stop: Lane,
    deadlines: Deadlines,
    proc: PathBuf,
    creating: Creating,
    pulse: watch::Receiver<u64>,
    own_values: OwnValues,
}

impl Libvirt {
    /// The libvirtd at this URI, and the events of its guests. Nothing is waited for: connections are
    /// made when they are needed.
    pub fn new(uri: &str, deadlines: Deadlines) -> std::io::Result<(Self, Events)> {
        let (sender, events) = mpsc::unbounded_channel();
        let (pulse_sender, pulse) = watch::channel(0);
        let own_values = OwnValues::default();
        events::start(uri, events::Sink { events: sender, pulse: pulse_sender, own_values: own_values.clone() })?;
        let libvirt = Self {
            control: Lane::new("control", uri),
            create: Lane::new("create", uri),
            stop: Lane::new("stop", uri),
            deadlines,
            proc: PathBuf::from("/proc"),
            creating: Creating::default(),
            pulse,
            own_values,
        };
        Ok((libvirt, events))
    }

    /// Starts the guest that probes hardware virtualization, in the place of one left over.
    pub async fn start_probe(&self, xml: String) -> Result<(), HypervisorError> {
        let start = move |connection: &connection::Connection| {
            domain::destroy_any(connection, PROBE)?;
            domain::start_probe(connection, &xml)
        };
        self.create.call("start the probe's guest", self.deadlines.create, start).await
    }

    /// Whether the probe's guest still runs.
    pub async fn probe_runs(&self) -> Result<bool, HypervisorError> {
        self.control.call("look at the probe's guest", self.deadlines.call, |c| domain::is_running(c, PROBE)).await
    }

    /// Ends the probe's guest.
    pub async fn end_probe(&self) -> Result<(), HypervisorError> {
        self.stop.call("end the probe's guest", self.deadlines.destroy, |c| domain::destroy_any(c, PROBE)).await
    }

    async fn processes(&self, instance: InstanceId) -> Result<Vec<i32>, HypervisorError> {
        let proc = self.proc.clone();
        let scan = tokio::task::spawn_blocking(move || process::of_instance(&proc, instance)).await;
        let failed = |error: &dyn std::fmt::Display| {
            HypervisorError::Passing(format!("cannot look for processes of instance {instance}: {error}"))
        };
        match scan {
            Ok(Ok(pids)) => Ok(pids),
            Ok(Err(error)) => Err(failed(&error)),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Waits for an event of any guest, but not long: events are hints.
    async fn pause(&self) {
        let mut pulse = self.pulse.clone();
        pulse.mark_unchanged();
        let _ = tokio::time::timeout(LOOK_AGAIN, pulse.changed()).await;
    }
}

#[async_trait]
impl Hypervisor for Libvirt {
    async fn node(&self) -> Result<Node, HypervisorError> {
        let read = |connection: &connection::Connection| {
            let (vcpus, ram_mib, architecture) = connection.node()?;
            let (libvirt_version, hypervisor_version) = connection.versions()?;
            Ok(Node { vcpus, ram_mib, architecture, libvirt_version, hypervisor_version })
        };
        self.control.call("read what the host has", self.deadlines.call, read).await
    }

    async fn guests(&self) -> Result<Vec<Guest>, HypervisorError> {
        self.control.call("list the guests of this host", self.deadlines.call, domain::list).await
    }

    async fn find(&self, instance: InstanceId) -> Result<Found, HypervisorError> {
        let what = format!("look up the guest of instance {instance}");
        let found = self.control.call(&what, self.deadlines.call, move |c| domain::find(c, instance)).await?;
        Ok(match found {
            // libvirt shows a domain before it is all there.
            Found::Ours(guest) if self.creating.contains(instance) => Found::Ours(Guest { power: PowerState::Unknown, ..guest }),
            found => found,
        })
    }

    async fn assert_secret(&self, secret: &CephSecret) -> Result<Healed, HypervisorError> {
        let what = format!("assert libvirt's secret of {}", secret.client);
        let (secret, own_values) = (secret.clone(), self.own_values.clone());
        self.control.call(&what, self.deadlines.call, move |c| secret::assert(c, &secret, &own_values)).await
    }

    async fn look_at_secret(&self, uuid: Uuid) -> Result<SecretState, HypervisorError> {
        self.control.call(&format!("look at libvirt's secret {uuid}"), self.deadlines.call, move |c| secret::look(c, uuid)).await
    }

    async fn forget_secrets_but(&self, kept: &[Uuid]) -> Result<(), HypervisorError> {
        let kept = kept.to_vec();
        self.control.call("forget secrets of ours", self.deadlines.call, move |c| secret::forget_but(c, &kept)).await
    }

    async fn ceph_clients(&self) -> Result<Vec<String>, HypervisorError> {
        self.control.call("read which Ceph clients guests use", self.deadlines.call, usage::ceph_clients).await
    }

    async fn ceph_secrets(&self) -> Result<Vec<HeldSecret>, HypervisorError> {
        self.control.call("list libvirt's secrets", self.deadlines.call, secret::list).await
    }

    async fn create(&self, blueprint: &Blueprint) -> Result<(), HypervisorError> {
        let instance = blueprint.instance_id;
        let what = format!("create the guest of instance {instance}");
        let xml = domain_xml::build(blueprint).map_err(|error| HypervisorError::Broken(format!("cannot {what}: {error}")))?;
        let under_way = self.creating.enter(instance);
        self.create
            .call(&what, self.deadlines.create, move |connection| {
                // Held until libvirt answers, whether or not anybody still waits: see `destroy`.
                let _under_way = under_way;
                domain::create_paused(connection, &xml, instance)
            })
            .await
    }

    async fn resume(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        let what = format!("resume the guest of instance {instance}");
        self.control.call(&what, self.deadlines.call, move |c| domain::resume(c, instance)).await
    }

    async fn pause(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        let what = format!("pause the guest of instance {instance}");
        self.control.call(&what, self.deadlines.call, move |c| domain::pause(c, instance)).await
    }

    async fn press_power_button(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        let what = format!("press the power button of instance {instance}");
        self.control.call(&what, self.deadlines.call, move |c| domain::press_power_button(c, instance)).await
    }

    async fn destroy(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        let what = format!("destroy the guest of instance {instance}");
        let started = Instant::now();
        let mut unknown_since = None;
        loop {
            // A creation whose caller gave up may still make the guest: it is ended, and looked for again.
            let creating = self.creating.contains(instance);
            let there = self.stop.call(&what, self.deadlines.destroy, move |c| domain::destroy(c, instance)).await?;
            let pids = self.processes(instance).await?;
            if !creating && !there && pids.is_empty() {
                return Ok(());
            }
            if started.elapsed() > self.deadlines.destroy {
                return Err(HypervisorError::StillThere { instance, pids, waited: started.elapsed() });
            }
            match (there || creating, unknown_since) {
                (true, _) => unknown_since = None,
                (false, None) => unknown_since = Some(Instant::now()),
                (false, Some(since)) if since.elapsed() > ORPHAN_GRACE => {
                    tracing::warn!(%instance, ?pids, "libvirt does not know this guest's process: killing it");
                    process::kill(&self.proc, instance, &pids);
                }
                (false, Some(_)) => {}
            }
            if !there {
                self.pause().await;
            }
        }
    }

    async fn wait_gone(&self, instance: InstanceId, timeout: Duration) -> Result<bool, HypervisorError> {
        let started = Instant::now();
        loop {
            if self.find(instance).await? == Found::Nothing {
                return Ok(true);
            }
            if started.elapsed() >= timeout {
                return Ok(false);
            }
            self.pause().await;
        }
    }

    fn last_call(&self) -> Duration {
        self.control.last_call()
    }
}

/// Instances with a creation that libvirt has not answered yet.
#[derive(Clone, Default)]
struct Creating(Arc<Mutex<HashSet<InstanceId>>>);

impl Creating {
    fn enter(&self, instance: InstanceId) -> UnderWay {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(instance);
        UnderWay { creating: self.clone(), instance }
    }

    fn contains(&self, instance: InstanceId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&instance)
    }
}

struct UnderWay {
    creating: Creating,
    instance: InstanceId,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.creating.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.instance);
    }
}

//! An agent that a test plays: it takes commands from the database, opens disks in Ceph as QEMU would,
//! and answers as it was told to.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use cuttle_compute_protocol::{Action, Command, GuestState, HeldSecret, Inventory, Outcome, Refusal, Report};
use cuttle_database::Database;
use cuttle_model::clock::{Clock, SystemClock};
use cuttle_model::ids::{CommandId, Epoch, HostId, InstanceId};
use cuttle_model::instance::PowerState;
use cuttle_rbd_backend::{Cluster, ImageWriter, WriterOptions};
use tokio::sync::Notify;

/// How the next command of a kind is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Do it.
    Do,
    /// Say that it failed.
    Fail { retry: bool },
    /// Say nothing, now or ever.
    Silence,
    /// The guest's process is gone, but Ceph does not know it yet: the disk stays open.
    GoneButWatching,
}

/// An agent. Clones are the same agent.
#[derive(Clone, Default)]
pub struct Agent(Arc<Inner>);

#[derive(Default)]
struct Inner {
    answers: Mutex<HashMap<&'static str, VecDeque<Answer>>>,
    received: Mutex<Vec<(&'static str, Epoch)>>,
    silenced: Mutex<HashSet<CommandId>>,
    guests: tokio::sync::Mutex<HashMap<InstanceId, Guest>>,
    arrived: Notify,
    secrets: Mutex<Vec<HeldSecret>>,
}

struct Guest {
    epoch: Epoch,
    power: PowerState,
    /// The disks, as its process has them open.
    disks: Vec<ImageWriter>,
}

impl Agent {
    /// The next commands of this kind are answered so; later ones are done.
    pub fn next(&self, action: &'static str, answers: impl IntoIterator<Item = Answer>) {
        self.0.answers.lock().unwrap().insert(action, answers.into_iter().collect());
    }

    /// Which commands came, in order.
    pub fn received(&self) -> Vec<(&'static str, Epoch)> {
        self.0.received.lock().unwrap().clone()
    }

    /// Waits until a command of this kind has come.
    pub async fn has_received(&self, action: &str) {
        loop {
            let arrived = self.0.arrived.notified();
            if self.received().iter().any(|(name, _)| *name == action) {
                return;
            }
            arrived.await;
        }
    }

    /// A guest is there that nobody asked for.
    pub async fn appear(&self, instance: InstanceId, epoch: Epoch) {
        let guest = Guest { epoch, power: PowerState::Running, disks: Vec::new() };
        self.0.guests.lock().await.insert(instance, guest);
    }

    /// A guest is gone, and the agent does not say so.
    pub async fn lose(&self, instance: InstanceId) {
        self.0.guests.lock().await.remove(&instance);
    }

    /// libvirt holds these secrets.
    pub fn hold(&self, secrets: impl IntoIterator<Item = HeldSecret>) {
        self.0.secrets.lock().unwrap().extend(secrets);
    }

    /// Speaks again about what it was silent on, as an agent that was restarted does.
    pub fn forget_silence(&self) {
        self.0.silenced.lock().unwrap().clear();
    }

    /// Closes what a process that was killed had open: Ceph has noticed its end.
    pub async fn let_go(&self) {
        for guest in self.0.guests.lock().await.values_mut().filter(|guest| guest.power == PowerState::Shutdown) {
            for disk in std::mem::take(&mut guest.disks) {
                disk.finish().await.unwrap();
            }
        }
    }

    /// Power states of the guests that have a process.
    pub async fn running(&self) -> Vec<(InstanceId, PowerState)> {
        let guests = self.0.guests.lock().await;
        guests.iter().filter(|(_, guest)| guest.power != PowerState::Shutdown).map(|(id, guest)| (*id, guest.power)).collect()
    }

    /// Serves a host until the process of the control plane ends.
    pub async fn serve(&self, database: Database, host: HostId, ceph: Cluster) {
        let mut events = database.events();
        loop {
            for command in database.pending_commands(host).await.unwrap() {
                if self.0.silenced.lock().unwrap().contains(&command.id) {
                    continue;
                }
                if let Some(outcome) = self.answer(&command, &ceph).await {
                    let Command { id, instance_id, epoch, .. } = command;
                    let report = Report { command_id: id, instance_id, epoch, outcome };
                    database.store_report(host, &report, SystemClock.now()).await.unwrap();
                } else {
                    self.0.silenced.lock().unwrap().insert(command.id);
                }
            }
            let _ = events.recv().await;
        }
    }

    async fn answer(&self, command: &Command, ceph: &Cluster) -> Option<Outcome> {
        let action = command.action.name();
        let answer = self.0.answers.lock().unwrap().get_mut(action).and_then(VecDeque::pop_front).unwrap_or(Answer::Do);
        let outcome = match answer {
            Answer::Do => Some(self.carry_out(command, ceph, true).await),
            Answer::GoneButWatching => Some(self.carry_out(command, ceph, false).await),
            Answer::Fail { retry } => Some(Outcome::Failed { message: "as the test wants it".into(), retry }),
            Answer::Silence => None,
        };
        self.0.received.lock().unwrap().push((action, command.epoch));
        self.0.arrived.notify_waiters();
        outcome
    }

    async fn carry_out(&self, command: &Command, ceph: &Cluster, close: bool) -> Outcome {
        let mut guests = self.0.guests.lock().await;
        match &command.action {
            Action::CreateGuest { spec } => {
                let known = guests.get(&command.instance_id).filter(|guest| guest.epoch == command.epoch);
                if let Some(guest) = known.filter(|guest| !guest.disks.is_empty()) {
                    return Outcome::Guest { power: guest.power };
                }
                let mut disks = Vec::new();
                for disk in &spec.disks {
                    let disk = ceph.pool(&disk.pool).open_writer(disk.image.as_str(), WriterOptions::default()).await.unwrap();
                    // QEMU's watch is there at once; librbd's writer takes the lock, and so the watch, when it writes.
                    disk.write_at(0, bytes::Bytes::from_static(&[1; 512])).await.unwrap();
                    disks.push(disk);
                }
                let guest = Guest { epoch: command.epoch, power: PowerState::Paused, disks };
                guests.insert(command.instance_id, guest);
                Outcome::Guest { power: PowerState::Paused }
            }
            Action::PauseGuest => match guests.get_mut(&command.instance_id) {
                Some(guest) if guest.epoch == command.epoch && guest.power != PowerState::Shutdown => {
                    guest.power = PowerState::Paused;
                    Outcome::Guest { power: PowerState::Paused }
                }
                _ => Outcome::Refused { refusal: Refusal::NoGuest },
            },
            Action::ResumeGuest => match guests.get_mut(&command.instance_id) {
                Some(guest) if guest.epoch == command.epoch && guest.power != PowerState::Shutdown => {
                    guest.power = PowerState::Running;
                    Outcome::Guest { power: PowerState::Running }
                }
                _ => Outcome::Refused { refusal: Refusal::NoGuest },
            },
            Action::StopGuest { .. } | Action::ForgetGuest => {
                if let Some(guest) = guests.get_mut(&command.instance_id) {
                    guest.power = PowerState::Shutdown;
                    if close {
                        for disk in std::mem::take(&mut guest.disks) {
                            disk.finish().await.unwrap();
                        }
                    }
                }
                Outcome::Gone
            }
            Action::TakeInventory => {
                let live = guests.iter().filter(|(_, guest)| guest.power != PowerState::Shutdown);
                let state =
                    |(id, guest): (&InstanceId, &Guest)| GuestState { instance_id: *id, epoch: guest.epoch, power: guest.power };
                let inventory = Inventory { guests: live.map(state).collect(), secrets: self.0.secrets.lock().unwrap().clone() };
                Outcome::Inventory { inventory: Box::new(inventory) }
            }
            Action::ReadConsole { .. } => Outcome::Console { text: "console".into() },
        }
    }
}

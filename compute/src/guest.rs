//! The guests of this host: for each instance a queue, and at most one thing done to it at a time.
//!
//! ```text
//!   commands ─┐
//!   events   ─┼─► queue of instance A ─► one task ─► actions ─► hypervisor
//!   disowned ─┘   queue of instance B ─► another one
//! ```
//! Always true: what changes one instance happens in the order in which it came, and what ends its guest at
//! once cuts short whatever waits for the guest before it; a slow guest holds up nobody else; a command that was delivered twice is carried out once as long as it is remembered,
//! and safely twice after that. How many hypervisor calls run at once is the hypervisor's to bound.

pub mod context;
mod known;
mod memory;

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cuttle_compute_protocol::{Action, AgentNumbers, Command, Outcome, Report, ShutdownMode};
use cuttle_model::ids::{Epoch, InstanceId};
use cuttle_model::instance::PowerState;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{actions, resident};
pub use context::{Context, Storage};
pub use known::Known;
use memory::{Delivery, Memory};

/// One thing to do to an instance.
#[derive(Debug, Clone)]
enum Job {
    /// The control plane asked for it.
    Command(Box<Command>),
    /// Something may have changed. If the guest ended, this is how.
    Look(Option<PowerState>),
    /// It no longer belongs to this host.
    Disown,
}

/// What is to be done to one instance.
struct Queue {
    jobs: VecDeque<Job>,
    /// The epoch of the job that is being done.
    epoch: Epoch,
    /// Cancelled when one waits behind it that ends the guest of that epoch at once.
    hurry: CancellationToken,
}

/// The queues. Cheap to clone.
#[derive(Clone)]
pub struct Guests {
    context: Arc<Context>,
    queues: Arc<Mutex<HashMap<InstanceId, Queue>>>,
    memory: Arc<Mutex<Memory>>,
    tasks: TaskTracker,
}

impl Guests {
    /// No guest has anything to do yet.
    pub fn new(context: Arc<Context>) -> Self {
        Self { context, queues: Arc::default(), memory: Arc::default(), tasks: TaskTracker::new() }
    }

    /// What the guests are worked on with.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Takes a command. Its report goes to the outbox when it is done; at once if it was done before.
    pub fn command(&self, command: Command) {
        let delivery = self.memory().begin(command.id);
        match delivery {
            Delivery::First => {
                log_received(&command);
                match command.action {
                    // Reading changes nothing, and people read a console just when a guest does not stop.
                    Action::ReadConsole { .. } => self.beside(command),
                    _ => self.push(command.instance_id, Job::Command(Box::new(command))),
                }
            }
            Delivery::UnderWay => tracing::debug!(command = %command.id, "command delivered again while it is carried out"),
            Delivery::Done(report) => {
                tracing::debug!(command = %command.id, "command delivered again: its report is sent again");
                self.context.outbox.report(report);
            }
        }
    }

    /// Looks at a guest and tells the control plane what changed by itself.
    pub fn look(&self, instance: InstanceId, ended: Option<PowerState>) {
        self.push(instance, Job::Look(ended));
    }

    /// Ends a guest that this host no longer owns.
    pub fn disown(&self, instance: InstanceId) {
        self.push(instance, Job::Disown);
    }

    /// What the control plane shows of this agent.
    pub fn numbers(&self) -> AgentNumbers {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        AgentNumbers {
            guests: count(self.context.known.count()),
            commands: count(self.memory().under_way()),
            reports: count(self.context.outbox.report_count()),
            resident_bytes: resident::bytes().unwrap_or(0),
        }
    }

    /// Waits until nothing is being done, or for this long. What was not finished is asked for again.
    pub async fn settle(&self, timeout: Duration) {
        self.tasks.close();
        if tokio::time::timeout(timeout, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                guests = self.tasks.len(),
                "stopping while guests are being worked on; their commands will come again"
            );
        }
    }

    /// Carries a command out that needs no turn.
    fn beside(&self, command: Command) {
        let guests = self.clone();
        self.tasks.spawn(async move { guests.carry_out(command, &CancellationToken::new()).await });
    }

    fn push(&self, instance: InstanceId, job: Job) {
        let mut queues = self.queues();
        if let Some(queue) = queues.get_mut(&instance) {
            // One look sees all that happened before it.
            let seen = matches!((&job, queue.jobs.back()), (Job::Look(None), Some(Job::Look(_))));
            if !seen {
                if job.ends_at_once(queue.epoch) {
                    queue.hurry.cancel();
                }
                queue.jobs.push_back(job);
            }
            return;
        }
        queues.insert(instance, Queue { epoch: job.epoch(), jobs: VecDeque::from([job]), hurry: CancellationToken::new() });
        let guests = self.clone();
        self.tasks.spawn(async move { guests.work_on(instance).await });
    }

    async fn work_on(&self, instance: InstanceId) {
        while let Some((job, hurry)) = self.next(instance) {
            match job {
                Job::Command(command) => self.carry_out(*command, &hurry).await,
                Job::Look(ended) => self.guarded(instance, actions::look::run(&self.context, instance, ended)).await,
                Job::Disown => self.guarded(instance, actions::disown::run(&self.context, instance)).await,
            }
        }
    }

    /// The next job, and what tells it that one behind it will end the guest at once.
    fn next(&self, instance: InstanceId) -> Option<(Job, CancellationToken)> {
        let mut queues = self.queues();
        let next = queues.get_mut(&instance).and_then(|queue| {
            let job = queue.jobs.pop_front()?;
            queue.epoch = job.epoch();
            queue.hurry = CancellationToken::new();
            if queue.jobs.iter().any(|other| other.ends_at_once(queue.epoch)) {
                queue.hurry.cancel();
            }
            Some((job, queue.hurry.clone()))
        });
        if next.is_none() {
            queues.remove(&instance);
        }
        next
    }

    async fn carry_out(&self, command: Command, hurry: &CancellationToken) {
        let work = AssertUnwindSafe(actions::carry_out(&self.context, &command, hurry)).catch_unwind();
        let outcome = work.await.unwrap_or_else(|_| Outcome::Failed {
            message: format!("the agent failed at {}: a defect, see its log", command.action.name()),
            retry: false,
        });
        log_outcome(&command, &outcome);
        let report = Report { command_id: command.id, instance_id: command.instance_id, epoch: command.epoch, outcome };
        self.memory().finish(report.clone());
        self.context.outbox.report(report);
    }

    async fn guarded(&self, instance: InstanceId, work: impl Future<Output = ()>) {
        if AssertUnwindSafe(work).catch_unwind().await.is_err() {
            tracing::error!(%instance, "a defect: the agent failed while it looked at a guest");
        }
    }

    fn queues(&self) -> std::sync::MutexGuard<'_, HashMap<InstanceId, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    fn epoch(&self) -> Epoch {
        match self {
            Self::Command(command) => command.epoch,
            // Of whatever guest is there.
            Self::Look(_) | Self::Disown => Epoch(i64::MAX),
        }
    }

    /// Whoever asks for this does not want to wait for a guest of this epoch.
    fn ends_at_once(&self, epoch: Epoch) -> bool {
        let ends = match self {
            Self::Command(command) => {
                matches!(command.action, Action::StopGuest { mode: ShutdownMode::Force } | Action::ForgetGuest)
            }
            Self::Look(_) => false,
            Self::Disown => true,
        };
        ends && self.epoch() >= epoch
    }
}

fn log_received(command: &Command) {
    let (id, instance, epoch, action) = (command.id, command.instance_id, command.epoch, command.action.name());
    match command.action {
        // People who watch a console ask for it several times a second.
        Action::ReadConsole { .. } => tracing::debug!(command = %id, %instance, %epoch, action, "command received"),
        _ => tracing::info!(command = %id, %instance, %epoch, action, "command received"),
    }
}

fn log_outcome(command: &Command, outcome: &Outcome) {
    let (id, instance, epoch, action) = (command.id, command.instance_id, command.epoch, command.action.name());
    match outcome {
        Outcome::Guest { power } => tracing::info!(command = %id, %instance, %epoch, action, power = power.as_str(), "done"),
        Outcome::Gone => tracing::info!(command = %id, %instance, %epoch, action, "done: no process of the guest exists"),
        Outcome::Inventory { inventory } => {
            tracing::debug!(command = %id, guests = inventory.guests.len(), secrets = inventory.secrets.len(), "inventory taken");
        }
        Outcome::Console { text } => tracing::debug!(command = %id, %instance, bytes = text.len(), "console read"),
        Outcome::Refused { refusal } => tracing::warn!(command = %id, %instance, %epoch, action, ?refusal, "refused"),
        Outcome::Failed { message, retry } => {
            tracing::warn!(command = %id, %instance, %epoch, action, retry, message, "failed");
        }
    }
}

#[cfg(test)]
mod tests;

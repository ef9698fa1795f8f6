//! The guests of this host: for each instance a queue, and at most one thing done to it at a time.
//!
//! ```text
//!   commands ─┐
//!   events   ─┼─► queue of instance A ─► one task ─► actions ─► hypervisor
//!   disowned ─┘   queue of instance B ─► another one
//! ```
//! Always true: what happens to one instance happens in the order in which it came; a slow guest holds
//! up nobody else; a command that was delivered twice is carried out once as long as it is remembered,
//! and safely twice after that. How many hypervisor calls run at once is the hypervisor's to bound.

pub mod context;
mod known;
mod memory;

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cuttle_compute_protocol::{Action, Command, Outcome, Report};
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::PowerState;
use futures::FutureExt;
use tokio_util::task::TaskTracker;

use crate::actions;
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

/// The queues. Cheap to clone.
#[derive(Clone)]
pub struct Guests {
    context: Arc<Context>,
    queues: Arc<Mutex<HashMap<InstanceId, VecDeque<Job>>>>,
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
                self.push(command.instance_id, Job::Command(Box::new(command)));
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

    fn push(&self, instance: InstanceId, job: Job) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get_mut(&instance) {
            // One look sees all that happened before it.
            let seen = matches!((&job, queue.back()), (Job::Look(None), Some(Job::Look(_))));
            if !seen {
                queue.push_back(job);
            }
            return;
        }
        queues.insert(instance, VecDeque::from([job]));
        let guests = self.clone();
        self.tasks.spawn(async move { guests.work_on(instance).await });
    }

    async fn work_on(&self, instance: InstanceId) {
        while let Some(job) = self.next(instance) {
            match job {
                Job::Command(command) => self.carry_out(*command).await,
                Job::Look(ended) => self.guarded(instance, actions::look::run(&self.context, instance, ended)).await,
                Job::Disown => self.guarded(instance, actions::disown::run(&self.context, instance)).await,
            }
        }
    }

    fn next(&self, instance: InstanceId) -> Option<Job> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let job = queues.get_mut(&instance).and_then(VecDeque::pop_front);
        if job.is_none() {
            queues.remove(&instance);
        }
        job
    }

    async fn carry_out(&self, command: Command) {
        let work = AssertUnwindSafe(actions::carry_out(&self.context, &command)).catch_unwind();
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

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
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

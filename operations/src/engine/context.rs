//! What a step has at hand.

use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cuttle_database::{LeaseGuard, Written};
use cuttle_model::capacity::Claim;
use cuttle_model::ids::OperationId;
use cuttle_model::image::Image;
use cuttle_model::instance::Instance;
use cuttle_model::operation::{Direction, Operation, Progress, Subject};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::StepError;
use super::steps::Row;
use crate::Control;

/// How often a step's progress is written at the most.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// What a step has at hand: the control plane, and which operation it belongs to.
pub struct Context {
    pub control: Control,
    pub operation: OperationId,
    pub subject: Subject,
    pub guard: LeaseGuard,
    /// Counts the attempts at steps; the same number is never used twice in an operation.
    pub(super) attempt: u32,
    pub(super) cancelled: CancellationToken,
    /// What is being undone is not cancelled any more.
    undoing: AtomicBool,
    /// When this attempt's progress was last written.
    reported: Mutex<Option<Instant>>,
}

impl Context {
    pub(super) fn new(control: Control, operation: &Operation, lease_epoch: i64, cancelled: CancellationToken) -> Self {
        let guard = LeaseGuard { operation: operation.id, epoch: lease_epoch };
        Self {
            control,
            operation: operation.id,
            subject: operation.subject,
            guard,
            attempt: 0,
            cancelled,
            undoing: AtomicBool::default(),
            reported: Mutex::default(),
        }
    }

    /// The number of this attempt; with the operation's id it names what the attempt sends out.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    pub(super) fn begin_attempt(&self, direction: Direction) {
        self.undoing.store(direction == Direction::Undo, Ordering::Relaxed);
        *self.reported.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = None;
    }

    /// Says how far the step is, in units of its own (bytes, mostly). May be called as often as one likes: it is written
    /// once a second at the most, and one that gets lost does no harm.
    pub async fn progress(&self, done: u64, total: Option<u64>) {
        {
            let mut reported = self.reported.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if reported.is_some_and(|reported| reported.elapsed() < PROGRESS_INTERVAL) {
                return;
            }
            *reported = Some(Instant::now());
        }
        let progress = Progress { done, total };
        if let Err(error) = self.control.database().note_progress(self.guard, self.attempt, progress).await {
            tracing::debug!(operation = %self.operation, %error, "progress could not be written");
        }
    }

    /// Waits for `wait`, but not past a cancellation, which does not concern an undo. For waits that change nothing.
    pub async fn or_cancelled<T>(&self, wait: impl Future<Output = T>) -> Result<T, StepError> {
        if self.undoing.load(Ordering::Relaxed) {
            return Ok(wait.await);
        }
        tokio::select! {
            done = wait => Ok(done),
            () = self.cancelled.cancelled() => Err(StepError::Cancelled),
        }
    }

    /// Changes the subject's row, under the lease; reads it again as long as others change it too.
    pub async fn update_instance(&self, change: impl Fn(&mut Instance)) -> Result<(), StepError> {
        loop {
            let Row::Instance(mut instance) = self.row().await? else { return Err(wrong_subject()) };
            change(&mut instance);
            instance.updated_at = self.control.now();
            match self.control.database().update_instance(&instance, Some(&self.guard)).await? {
                Written::Done => return Ok(()),
                Written::Stale => {}
                Written::LeaseLost => return Err(StepError::LeaseLost),
            }
        }
    }

    /// As [`Self::update_instance`], and says anew which of the instance's two claims is where it is.
    pub async fn move_instance(&self, home: &Claim, other: &Claim, change: impl Fn(&mut Instance)) -> Result<(), StepError> {
        loop {
            let Row::Instance(mut instance) = self.row().await? else { return Err(wrong_subject()) };
            change(&mut instance);
            instance.updated_at = self.control.now();
            match self.control.database().move_instance(&instance, home, other, &self.guard).await? {
                Written::Done => return Ok(()),
                Written::Stale => {}
                Written::LeaseLost => return Err(StepError::LeaseLost),
            }
        }
    }

    /// As [`Self::update_instance`], for images.
    pub async fn update_image(&self, change: impl Fn(&mut Image)) -> Result<(), StepError> {
        loop {
            let Row::Image(mut image) = self.row().await? else { return Err(wrong_subject()) };
            change(&mut image);
            image.updated_at = self.control.now();
            match self.control.database().update_image(&image, Some(&self.guard)).await? {
                Written::Done => return Ok(()),
                Written::Stale => {}
                Written::LeaseLost => return Err(StepError::LeaseLost),
            }
        }
    }

    /// The instance that the operation works on.
    pub async fn instance(&self) -> Result<Instance, StepError> {
        match self.row().await? {
            Row::Instance(instance) => Ok(*instance),
            Row::Image(_) | Row::Host(_) => Err(wrong_subject()),
        }
    }

    /// The subject's row.
    pub(super) async fn row(&self) -> Result<Row, StepError> {
        let database = self.control.database();
        let row = match self.subject {
            Subject::Instance(id) => database.get_instance(id).await?.map(|instance| Row::Instance(Box::new(instance))),
            Subject::Image(id) => database.get_image(id).await?.map(|image| Row::Image(Box::new(image))),
            Subject::Host(id) => Some(Row::Host(id)),
        };
        row.ok_or_else(|| {
            StepError::failed(cuttle_model::fault::FaultKind::Internal, "the row that the operation works on is gone")
        })
    }
}

fn wrong_subject() -> StepError {
    StepError::failed(cuttle_model::fault::FaultKind::Internal, "the operation works on something of another kind")
}

//! Carries one operation out, from where its journal stands to its end.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use cuttle_database::{EndOperation, JournalEntry, StepEnd, SubjectEnd, Written};
use cuttle_model::clock::Timestamp;
use cuttle_model::fault::{Fault, FaultKind};
use cuttle_model::operation::{Direction, Operation, OperationKind, OperationStatus, StepRecord, StepResult};
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use super::steps::{Outcome, Row, StepFn, Steps, Undo};
use super::{Context, Point, StepError};
use crate::Control;

/// How long to wait before the database is asked again when it is away.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);

/// The operation ends here without an end in the journal: somebody else goes on with it.
struct Abandoned;

/// Works on `operation`, whose lease this node holds with `lease_epoch`.
pub(super) async fn run<S: Steps>(control: Control, operation: Operation, lease_epoch: i64, cancelled: CancellationToken) {
    let state = match serde_json::from_value::<S>(operation.state.clone()) {
        Ok(state) => state,
        Err(error) => {
            tracing::error!(operation = %operation.id, kind = S::KIND.as_str(), %error, "the journal holds a state that is not understood");
            return;
        }
    };
    let context = Context::new(control, &operation, lease_epoch, cancelled);
    let mut runner = Runner {
        kind: operation.kind,
        context,
        state,
        status: operation.status,
        next_step: operation.next_step,
        fault: operation.fault,
        started_at: operation.started_at,
        ended: None,
    };
    if runner.resume(&operation.id).await.is_ok() {
        // Abandoned: whoever holds the lease now goes on.
        let _ = runner.carry_out().await;
    }
}

struct Runner<S> {
    /// As the operation's row has it: kinds may share their steps.
    kind: OperationKind,
    context: Context,
    state: S,
    status: OperationStatus,
    next_step: u32,
    fault: Option<Fault>,
    started_at: Timestamp,
    /// The end of the last attempt, not yet journaled.
    ended: Option<StepEnd>,
}

impl<S: Steps> Runner<S> {
    /// Attempts are numbered on from those that an earlier worker has journaled.
    async fn resume(&mut self, operation: &cuttle_model::ids::OperationId) -> Result<(), Abandoned> {
        if self.context.guard.epoch <= 1 {
            return Ok(());
        }
        let database = self.context.control.database().clone();
        let steps = through_outages(|| database.list_steps(std::slice::from_ref(operation))).await?;
        self.context.attempt = steps.iter().map(|(_, step)| step.sequence + 1).max().unwrap_or(0);
        tracing::info!(%operation, kind = self.kind.as_str(), step = self.next_step, "taken up again");
        Ok(())
    }

    async fn carry_out(&mut self) -> Result<(), Abandoned> {
        let steps = S::steps();
        while self.status == OperationStatus::Running {
            let Some(step) = steps.get(self.next_step as usize) else {
                return self.end(OperationStatus::Succeeded, Outcome::Succeeded).await;
            };
            match self.attempt(step.name, step.run, Direction::Do).await? {
                Ok(()) => self.next_step += 1,
                Err(fault) => {
                    tracing::warn!(operation = %self.context.operation, step = step.name, reason = %fault, "undoing");
                    self.fault = Some(fault);
                    self.status = OperationStatus::Undoing;
                    // The step that failed may have done half of its work.
                    self.next_step += 1;
                }
            }
        }
        while let Some(step) = self.next_step.checked_sub(1).and_then(|last| steps.get(last as usize)) {
            if let Undo::By(undo) = step.undo
                && let Err(fault) = self.attempt(step.name, undo, Direction::Undo).await?
            {
                tracing::error!(operation = %self.context.operation, step = step.name, reason = %fault, "could not be undone");
                let first = self.fault.take().map_or_else(String::new, |first| format!("{first}; "));
                let fault = Fault::new(fault.kind, format!("{first}and undoing '{}' failed: {fault}", step.name));
                self.fault = Some(fault.clone());
                return self.end(OperationStatus::Parked, Outcome::Parked(fault)).await;
            }
            self.next_step -= 1;
        }
        let fault =
            self.fault.clone().unwrap_or_else(|| Fault::new(FaultKind::Internal, "undone for a reason that was not recorded"));
        self.end(OperationStatus::Undone, Outcome::Undone(fault)).await
    }

    /// Attempts a step or an undo until it is done or has failed for good.
    async fn attempt(
        &mut self,
        name: &'static str,
        run: StepFn<S>,
        direction: Direction,
    ) -> Result<Result<(), Fault>, Abandoned> {
        let limit = self.context.control.settings().step_attempts.max(1);
        let mut tried = 0;
        loop {
            tried += 1;
            if direction == Direction::Do && self.context.cancelled.is_cancelled() {
                return Ok(Err(cancelled()));
            }
            self.journal_begin(name, direction).await?;
            let result = self.once(name, run, direction).await;
            let error = match result {
                Ok(Ok(())) => {
                    self.note_end(direction, StepResult::Done, None);
                    return Ok(Ok(()));
                }
                Ok(Err(error)) => error,
                Err(_panic) => {
                    StepError::failed(FaultKind::Internal, format!("'{name}' hit a defect of Cuttle; its log says more"))
                }
            };
            let fault = match error {
                StepError::LeaseLost => return Err(Abandoned),
                StepError::Fenced => {
                    tracing::warn!(operation = %self.context.operation, step = name, "dropped: this control node was fenced");
                    self.context.control.engine().note_fenced();
                    return Err(Abandoned);
                }
                StepError::Cancelled => cancelled(),
                StepError::Failed(fault) => fault,
                StepError::Retry(fault) if tried < limit => {
                    self.note_end(direction, StepResult::Retry, Some(fault.message));
                    self.pause(self.context.control.settings().backoff(tried), direction).await;
                    continue;
                }
                StepError::Retry(fault) => Fault { message: format!("{} (tried {tried} times)", fault.message), ..fault },
                StepError::Database(error) => {
                    tracing::warn!(operation = %self.context.operation, step = name, %error, "waiting for the database");
                    self.note_end(direction, StepResult::Retry, Some(error.to_string()));
                    self.pause(DATABASE_PAUSE, direction).await;
                    continue;
                }
            };
            self.note_end(direction, StepResult::Failed, Some(fault.message.clone()));
            return Ok(Err(fault));
        }
    }

    /// One attempt; a panic in it is its end, and not the engine's.
    async fn once(
        &mut self,
        step: &'static str,
        run: StepFn<S>,
        direction: Direction,
    ) -> Result<Result<(), StepError>, Box<dyn std::any::Any + Send>> {
        let probe = self.context.control.probe();
        let (operation, attempt) = (self.context.operation, self.context.attempt);
        self.context.begin_attempt(direction);
        let work = run(&self.context, &mut self.state);
        let work = match &probe {
            None => work,
            Some(probe) => probe.attempt(Point { operation, kind: self.kind, step, direction, attempt }, work),
        };
        AssertUnwindSafe(work).catch_unwind().await
    }

    async fn pause(&self, pause: Duration, direction: Direction) {
        match direction {
            Direction::Do => drop(self.context.or_cancelled(tokio::time::sleep(pause)).await),
            Direction::Undo => tokio::time::sleep(pause).await,
        }
    }

    fn note_end(&mut self, direction: Direction, result: StepResult, message: Option<String>) {
        let finished_at = self.context.control.now();
        self.ended = Some(StepEnd { sequence: self.context.attempt, direction, finished_at, result, message });
    }

    async fn journal_begin(&mut self, name: &'static str, direction: Direction) -> Result<(), Abandoned> {
        if self.ended.is_some() {
            self.context.attempt += 1;
        }
        let entry = JournalEntry {
            guard: self.context.guard,
            status: self.status,
            next_step: self.next_step,
            state: self.state_json(),
            fault: self.fault.clone(),
            ended: self.ended.take(),
            begun: Some(StepRecord {
                sequence: self.context.attempt,
                name: name.to_owned(),
                direction,
                started_at: self.context.control.now(),
                finished_at: None,
                result: None,
                message: None,
                progress: None,
            }),
        };
        let database = self.context.control.database();
        match through_outages(|| database.journal(&entry)).await? {
            Written::Done => Ok(()),
            Written::Stale | Written::LeaseLost => Err(Abandoned),
        }
    }

    async fn end(&mut self, status: OperationStatus, outcome: Outcome) -> Result<(), Abandoned> {
        let ended = self.ended.take();
        loop {
            let row = match self.context.row().await {
                Ok(row) => row,
                Err(StepError::Database(error)) => {
                    tracing::warn!(operation = %self.context.operation, %error, "waiting for the database");
                    tokio::time::sleep(DATABASE_PAUSE).await;
                    continue;
                }
                Err(error) => {
                    tracing::error!(operation = %self.context.operation, %error, "cannot be ended");
                    return Err(Abandoned);
                }
            };
            let end = EndOperation {
                guard: self.context.guard,
                status,
                state: self.state_json(),
                fault: self.fault.clone(),
                finished_at: self.context.control.now(),
                ended: ended.clone(),
                subject: self.settle(&outcome, row),
            };
            let database = self.context.control.database();
            match through_outages(|| database.end_operation(&end)).await? {
                Written::Done => {
                    self.count(status, end.finished_at);
                    return Ok(());
                }
                Written::Stale => {}
                Written::LeaseLost => return Err(Abandoned),
            }
        }
    }

    /// For metrics: kinds and outcomes are words of the program, so there are few of them.
    fn count(&self, status: OperationStatus, finished_at: Timestamp) {
        let (kind, outcome) = (self.kind.as_str(), status.as_str());
        metrics::counter!("cuttle_operations_total", "kind" => kind, "outcome" => outcome).increment(1);
        let took = finished_at.since(self.started_at);
        metrics::histogram!("cuttle_operation_seconds", "kind" => kind, "outcome" => outcome).record(took);
    }

    fn settle(&self, outcome: &Outcome, row: Row) -> SubjectEnd {
        let now = self.context.control.now();
        match row {
            Row::Instance(mut instance) => {
                instance.updated_at = now;
                // What waits for this end has marked the instance, and is next.
                instance.task = instance.task.filter(|task| self.state.gives_way_to(*task));
                let claims = self.state.end_instance(outcome, &mut instance);
                SubjectEnd::Instance { instance, claims }
            }
            Row::Image(mut image) => {
                image.updated_at = now;
                self.state.end_image(outcome, &mut image);
                SubjectEnd::Image(image)
            }
            Row::Host(id) => SubjectEnd::Host(id),
        }
    }

    fn state_json(&self) -> serde_json::Value {
        serde_json::to_value(&self.state).unwrap_or_default()
    }
}

fn cancelled() -> Fault {
    Fault::new(FaultKind::Internal, "it was cancelled")
}

/// Repeats a database call for as long as the database is away. A statement that it refuses is not
/// repeated: the operation is left to whoever understands it.
async fn through_outages<T, F>(call: impl Fn() -> F) -> Result<T, Abandoned>
where
    F: Future<Output = cuttle_database::Result<T>>,
{
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(error @ cuttle_database::Error::Unavailable { .. }) => {
                tracing::warn!(%error, "waiting for the database");
                tokio::time::sleep(DATABASE_PAUSE).await;
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the journal cannot be written");
                return Err(Abandoned);
            }
        }
    }
}

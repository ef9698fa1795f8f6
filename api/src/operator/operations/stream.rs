//! The lines of a watch: driven by the database's events, so that nobody polls.
//!
//! ```text
//! subscribe ──► look at all that is watched ──► wait for an event ──► look at what it names ──┐
//!                     ▲  events were lost                ▲                                    │
//!                     └──────────────────────────────────┴────────────────────────────────────┘
//! ```
//! Always true: a line is written only if it differs from the operation's last one, and the last line of
//! an operation shows how it ended.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use cuttle_database::{Event, OperationQuery};
use cuttle_model::ids::OperationId;
use cuttle_model::operation::{Operation, OperationStatus, StepRecord};
use futures::Stream;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::Instant;

use crate::operator::operations::{show, view};
use crate::shared::Shared;

/// How often a line comes at least; clients give a silent connection up after some of them.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Operations that have not ended are looked at in portions of so many.
const PORTION: u32 = 200;
/// How many of those that have ended are known.
const ENDED_KNOWN: usize = 256;

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    One(OperationId),
    All,
}

/// The lines, each with its end. The stream ends with the operation, when the process stops, and when the
/// database fails: the client then asks again.
pub fn lines(shared: Shared, watched: Watched) -> impl Stream<Item = Result<String, Infallible>> + Send + 'static {
    let events = shared.database.events();
    let watch = Watch { shared, watched, events, shown: HashMap::new(), due: Due::All, ended: VecDeque::new(), is_over: false };
    futures::stream::unfold(watch, |mut watch| async move {
        let text = watch.next().await?;
        Some((Ok(text), watch))
    })
}

struct Watch {
    shared: Shared,
    watched: Watched,
    events: Receiver<Event>,
    /// The last line of each operation that had not ended then.
    shown: HashMap<OperationId, Value>,
    due: Due,
    /// Those whose last line was written lately: events that tell of it may still come.
    ended: VecDeque<OperationId>,
    is_over: bool,
}

/// What is to be looked at next.
enum Due {
    All,
    Some(BTreeSet<OperationId>),
}

impl Watch {
    /// The next lines: at the latest after [`HEARTBEAT`], when there may be an empty one.
    async fn next(&mut self) -> Option<String> {
        let deadline = Instant::now() + HEARTBEAT;
        while !self.is_over {
            let text = match std::mem::replace(&mut self.due, Due::Some(BTreeSet::new())) {
                Due::All => self.look_at_all().await,
                Due::Some(ids) => self.look_at(ids).await,
            };
            let text = text.map_err(|error| tracing::warn!(%error, "a watch ends: operations could not be read")).ok()?;
            if !text.is_empty() {
                return Some(text);
            }
            let stopping = self.shared.stopping.clone();
            tokio::select! {
                () = stopping.cancelled() => return None,
                () = tokio::time::sleep_until(deadline) => return Some("\n".to_owned()),
                event = self.events.recv() => self.note(event),
            }
            self.note_more();
        }
        None
    }

    fn note(&mut self, event: Result<Event, RecvError>) {
        let id = match event {
            Ok(Event::Progress(id) | Event::Cancelled(id) | Event::Ended(id) | Event::Ready(id)) => id,
            Ok(Event::Resync) | Err(RecvError::Lagged(_)) => return self.due = Due::All,
            Ok(_) => return,
            Err(RecvError::Closed) => return self.is_over = true,
        };
        if self.watched == Watched::All || self.watched == Watched::One(id) {
            match &mut self.due {
                Due::All => {}
                Due::Some(ids) => {
                    ids.insert(id);
                }
            }
        }
    }

    /// What has come in the same moment is looked at together.
    fn note_more(&mut self) {
        loop {
            match self.events.try_recv() {
                Ok(event) => self.note(Ok(event)),
                Err(TryRecvError::Lagged(missed)) => self.note(Err(RecvError::Lagged(missed))),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Closed) => return self.note(Err(RecvError::Closed)),
            }
        }
    }

    async fn look_at_all(&mut self) -> Result<String, cuttle_database::Error> {
        if let Watched::One(id) = self.watched {
            return self.look_at(BTreeSet::from([id])).await;
        }
        // Those that were shown as going on, and do so no longer if they are not found here.
        let mut rest: BTreeSet<OperationId> = self.shown.keys().copied().collect();
        let mut query = OperationQuery {
            statuses: OperationStatus::ALL.into_iter().filter(|status| status.is_open()).collect(),
            limit: Some(PORTION),
            ..OperationQuery::default()
        };
        let mut text = String::new();
        loop {
            let portion = self.shared.database.find_operations(&query).await?;
            let ids: Vec<OperationId> = portion.iter().map(|operation| operation.id).collect();
            let mut steps: HashMap<OperationId, Vec<StepRecord>> = HashMap::new();
            for (id, step) in self.shared.database.list_steps(&ids).await? {
                steps.entry(id).or_default().push(step);
            }
            for operation in &portion {
                rest.remove(&operation.id);
                text += &self.line(operation, steps.get(&operation.id).map_or(&[], Vec::as_slice));
            }
            query.marker = ids.last().copied();
            if ids.len() < usize::try_from(PORTION).unwrap_or(usize::MAX) {
                break;
            }
        }
        Ok(text + &self.look_at(rest).await?)
    }

    async fn look_at(&mut self, ids: BTreeSet<OperationId>) -> Result<String, cuttle_database::Error> {
        let mut text = String::new();
        for id in ids {
            match show::find(&self.shared, id).await? {
                Some((operation, steps)) => text += &self.line(&operation, &steps),
                // It was purged.
                None => self.forget(id),
            }
        }
        Ok(text)
    }

    /// The operation's line, or nothing if it is as it was.
    fn line(&mut self, operation: &Operation, steps: &[StepRecord]) -> String {
        // What has ended never changes again.
        if self.ended.contains(&operation.id) {
            return String::new();
        }
        let shown = view::detail(operation, steps);
        let is_new = self.shown.get(&operation.id) != Some(&shown);
        let text = if is_new { format!("{}\n", json!({ "operation": shown })) } else { String::new() };
        match operation.status.is_open() {
            true => {
                self.shown.insert(operation.id, shown);
            }
            false => self.forget(operation.id),
        }
        text
    }

    fn forget(&mut self, id: OperationId) {
        self.shown.remove(&id);
        self.is_over |= self.watched == Watched::One(id);
        self.ended.push_back(id);
        if self.ended.len() > ENDED_KNOWN {
            self.ended.pop_front();
        }
    }
}

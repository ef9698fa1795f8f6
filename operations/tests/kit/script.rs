//! What is done to an operation: which attempt is run twice, fails, or is cut off, before, after or anywhere inside.

use std::future::poll_fn;
use std::sync::Mutex;
use std::sync::mpsc::Sender;
use std::task::Poll;

use cuttle_model::fault::{Fault, FaultKind};
use cuttle_model::ids::OperationId;
use cuttle_model::operation::{Direction, OperationKind};
use cuttle_operations::engine::{Point, Probe, StepError};
use futures::FutureExt;
use futures::future::BoxFuture;

/// What happens to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It is done, and done again.
    Twice,
    /// It fails before it did anything.
    FailBefore,
    /// It fails after all was done.
    FailAfter,
    /// Somebody cancels the operation, and it is done.
    Cancel,
    /// The process dies before it.
    CrashBefore,
    /// The process dies inside, where it waits for the n-th time.
    CrashIn(u32),
    /// The process dies after it, before the journal knows.
    CrashAfter,
}

impl Act {
    pub fn is_crash(self) -> bool {
        matches!(self, Self::CrashBefore | Self::CrashIn(_) | Self::CrashAfter)
    }
}

/// Something to do to one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub step: &'static str,
    pub direction: Direction,
    pub act: Act,
}

/// What the script has to say to whoever runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The process shall die now.
    Crash,
    /// This operation shall be cancelled.
    Cancel(OperationId),
}

/// The rules of one process's life; each is used once.
pub struct Script {
    kind: OperationKind,
    rules: Mutex<Vec<Rule>>,
    words: Mutex<Sender<Word>>,
}

impl Script {
    pub fn new(kind: OperationKind, rules: Vec<Rule>, words: Sender<Word>) -> Self {
        Self { kind, rules: Mutex::new(rules), words: Mutex::new(words) }
    }

    /// The rules that were not used.
    pub fn left(&self) -> Vec<Rule> {
        self.rules.lock().unwrap().clone()
    }

    fn take(&self, point: &Point) -> Option<Rule> {
        let mut rules = self.rules.lock().unwrap();
        let fits = |rule: &Rule| rule.step == point.step && rule.direction == point.direction && self.kind == point.kind;
        let place = rules.iter().position(fits)?;
        Some(rules.remove(place))
    }

    fn say(&self, word: Word) {
        let _ = self.words.lock().unwrap().send(word);
    }

    /// The process is about to die: nothing goes on.
    async fn die(&self) -> Result<(), StepError> {
        self.say(Word::Crash);
        std::future::pending().await
    }
}

fn fault() -> Fault {
    Fault::new(FaultKind::Internal, "as the kit wants it")
}

impl Probe for Script {
    fn attempt<'a>(&'a self, point: Point, work: BoxFuture<'a, Result<(), StepError>>) -> BoxFuture<'a, Result<(), StepError>> {
        let Some(rule) = self.take(&point) else { return work };
        async move {
            let ended = match rule.act {
                Act::FailBefore => return Err(StepError::Failed(fault())),
                Act::CrashBefore => return self.die().await,
                Act::CrashIn(times) => match cut_off(work, times).await {
                    Some(ended) => ended,
                    None => return self.die().await,
                },
                Act::Cancel => {
                    self.say(Word::Cancel(point.operation));
                    return work.await;
                }
                Act::Twice | Act::FailAfter | Act::CrashAfter => work.await,
            };
            if ended.is_err() {
                // It did not do its work, and will be tried again: the rule is for the attempt that does.
                self.rules.lock().unwrap().insert(0, rule);
                return ended;
            }
            match rule.act {
                Act::Twice => Err(StepError::Retry(fault())),
                Act::FailAfter => Err(StepError::Failed(fault())),
                Act::CrashAfter => self.die().await,
                _ => Ok(()),
            }
        }
        .boxed()
    }
}

/// Carries `work` on until it has waited so often; `None`: there it was dropped.
async fn cut_off<T>(mut work: BoxFuture<'_, T>, times: u32) -> Option<T> {
    let mut left = times;
    poll_fn(move |context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

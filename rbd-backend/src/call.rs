//! One blocking call from async code: onto a worker thread, with a deadline that frees the caller.

use crate::error::{Attempt, Error, Reason};
use crate::workers::{GivenUp, Overloaded, Ticket, Workers};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Until when a caller waits, and how long that is from when it asked.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    pub at: Instant,
    pub after: Duration,
}

impl From<Duration> for Deadline {
    fn from(after: Duration) -> Self {
        Self { at: Instant::now() + after, after }
    }
}

/// Runs `work` on a worker thread and waits for it until the deadline.
///
/// A caller that goes away (deadline, or the future dropped) takes a call that still waits with it; one that runs goes on,
/// and its answer is dropped.
pub(crate) async fn run<T, F>(
    workers: &Arc<Workers>,
    attempt: &Attempt,
    deadline: impl Into<Deadline>,
    work: F,
) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce(&Attempt) -> Result<T, Error> + Send + 'static,
{
    let begun = Instant::now();
    let result = run_until(workers, attempt, deadline.into(), work).await;
    // An action is a constant of the program, so there are few of them.
    metrics::histogram!("cuttle_ceph_call_seconds", "call" => attempt.action).record(begun.elapsed());
    if let Err(error) = &result {
        let class = error.class().as_str();
        metrics::counter!("cuttle_ceph_call_errors_total", "call" => attempt.action, "class" => class).increment(1);
    }
    result
}

async fn run_until<T, F>(workers: &Arc<Workers>, attempt: &Attempt, deadline: Deadline, work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce(&Attempt) -> Result<T, Error> + Send + 'static,
{
    let Deadline { at, after } = deadline;
    let (sender, receiver) = oneshot::channel();
    let attempted = attempt.clone();
    let job = Box::new(move || {
        let result = catch_unwind(AssertUnwindSafe(|| work(&attempted)))
            .unwrap_or_else(|_| Err(attempted.broken("the call panicked; see the log")));
        let _ = sender.send(result);
    });
    let ticket =
        workers.submit(at, job).map_err(|Overloaded { stuck, waiting }| attempt.error(Reason::Overloaded { stuck, waiting }))?;
    let mut pending = Pending { workers, ticket: Some(ticket) };
    match tokio::time::timeout_at(at.into(), receiver).await {
        Ok(Ok(result)) => {
            pending.ticket = None;
            result
        }
        // Dropped unrun, because its turn came after its deadline.
        Ok(Err(_)) => Err(attempt.error(Reason::NeverStarted { after })),
        Err(_) => {
            let reason = match pending.give_up() {
                GivenUp::NeverStarted => Reason::NeverStarted { after },
                GivenUp::Started => Reason::Deadline { after },
            };
            let stats = workers.stats();
            tracing::warn!(%attempt, ?reason, stuck = stats.stuck, waiting = stats.waiting, "a call to Ceph passed its deadline");
            Err(attempt.error(reason))
        }
    }
}

/// Waits for a completion of librbd until `timeout`. What was started goes on without the caller.
pub(crate) async fn completion<T>(
    receiver: oneshot::Receiver<crate::sys::errno::Result<T>>,
    attempt: &Attempt,
    timeout: Duration,
) -> Result<T, Error> {
    match tokio::time::timeout(timeout, receiver).await {
        Ok(Ok(result)) => result.map_err(|errno| attempt.ceph(errno)),
        Ok(Err(_)) => Err(attempt.broken("librbd dropped the call without an answer")),
        Err(_) => Err(attempt.error(Reason::Deadline { after: timeout })),
    }
}

/// Gives the call up when its caller goes away.
struct Pending<'a> {
    workers: &'a Arc<Workers>,
    ticket: Option<Ticket>,
}

impl Pending<'_> {
    fn give_up(&mut self) -> GivenUp {
        self.ticket.take().map_or(GivenUp::Started, |ticket| self.workers.give_up(ticket))
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::error::{Class, Effect};

    fn workers() -> Arc<Workers> {
        Arc::new(Workers::new(&Limits { threads: 1, ..Limits::default() }))
    }

    /// A call that hangs for longer than any deadline here, unless the test ends first.
    fn hanging(_: &Attempt) -> Result<(), Error> {
        std::thread::sleep(Duration::from_millis(400));
        Ok(())
    }

    #[tokio::test]
    async fn a_deadline_frees_the_caller_and_tells_reads_from_changes() {
        let workers = workers();
        for (effect, class) in [(Effect::Change, Class::Unknown), (Effect::Read, Class::Retry)] {
            let attempt = Attempt::on_cluster("hang", effect);
            let begun = Instant::now();
            let error = run(&workers, &attempt, Duration::from_millis(30), hanging).await.unwrap_err();
            assert_eq!(error.class(), class);
            assert!(begun.elapsed() < Duration::from_millis(300), "the caller was held for {:?}", begun.elapsed());
        }
        assert_eq!(workers.stats().stuck, 2);
    }

    #[tokio::test]
    async fn what_never_started_is_safe_to_repeat() {
        let workers = workers();
        let attempt = Attempt::on_cluster("hang", Effect::Change);
        let first = run(&workers, &attempt, Duration::from_secs(5), hanging);
        let second = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            run(&workers, &attempt, Duration::from_millis(50), |_| Ok(())).await
        };
        let (first, second) = tokio::join!(first, second);
        first.unwrap();
        let error = second.unwrap_err();
        assert!(matches!(error.reason(), Reason::NeverStarted { .. }), "{error}");
        assert_eq!(error.class(), Class::Retry);
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let attempt = Attempt::on_cluster("panic", Effect::Read);
        let error = run::<(), _>(&workers(), &attempt, Duration::from_secs(5), |_| panic!("on purpose")).await.unwrap_err();
        assert_eq!(error.class(), Class::Broken);
    }
}

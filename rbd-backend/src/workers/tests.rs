//! The pool of threads, with calls that hang on purpose.

use super::*;
use std::sync::mpsc;

fn limits(threads: usize, max_stuck: usize) -> Limits {
    Limits { threads, max_stuck, max_waiting: 4, ..Limits::default() }
}

fn in_ms(milliseconds: u64) -> Instant {
    Instant::now() + Duration::from_millis(milliseconds)
}

/// Submits a call that hangs until the returned sender is dropped; returns once it runs.
fn hang(workers: &Workers, deadline: Instant) -> (Ticket, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel::<()>();
    let (started, running) = mpsc::channel();
    let work = Box::new(move || {
        started.send(()).unwrap();
        let _ = released.recv();
    });
    let ticket = workers.submit(deadline, work).unwrap();
    running.recv_timeout(Duration::from_secs(5)).unwrap();
    (ticket, release)
}

fn eventually(mut holds: impl FnMut() -> bool) {
    let end = in_ms(5000);
    while !holds() {
        assert!(Instant::now() < end, "did not come true within 5 s");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn stuck_calls_are_counted_capped_and_forgotten_when_they_return() {
    let workers = Workers::new(&limits(1, 2));
    let (first, release_first) = hang(&workers, in_ms(10));
    eventually(|| workers.stats().stuck == 1);
    assert_eq!(workers.give_up(first), GivenUp::Started);
    // The only thread is stuck, yet a new call runs at once on its replacement.
    let (_, release_second) = hang(&workers, in_ms(10));
    eventually(|| workers.stats().stuck == 2);
    assert_eq!(workers.submit(in_ms(1000), Box::new(|| ())).unwrap_err(), Overloaded { stuck: 2, waiting: 0 });

    drop((release_first, release_second));
    eventually(|| workers.stats() == Stats::default());
    let (sender, receiver) = mpsc::channel();
    workers.submit(in_ms(5000), Box::new(move || sender.send(7).unwrap())).unwrap();
    assert_eq!(receiver.recv_timeout(Duration::from_secs(5)), Ok(7));
    eventually(|| workers.shared.lock().alive == 1);
}

#[test]
fn a_call_given_up_while_it_waits_never_runs() {
    let workers = Workers::new(&limits(1, 4));
    let (_, release) = hang(&workers, in_ms(60_000));
    let (sender, receiver) = mpsc::channel::<()>();
    let ticket = workers.submit(in_ms(60_000), Box::new(move || sender.send(()).unwrap())).unwrap();
    assert_eq!(workers.stats(), Stats { busy: 1, stuck: 0, waiting: 1, aio_in_flight: 0 });
    assert_eq!(workers.give_up(ticket), GivenUp::NeverStarted);
    drop(release);
    assert!(receiver.recv().is_err());
}

#[test]
fn a_call_that_waited_past_its_deadline_never_runs() {
    let workers = Workers::new(&limits(1, 4));
    let (_, release) = hang(&workers, in_ms(60_000));
    let (sender, receiver) = mpsc::channel::<()>();
    workers.submit(in_ms(5), Box::new(move || sender.send(()).unwrap())).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    drop(release);
    assert!(receiver.recv().is_err());
}

#[test]
fn no_more_threads_run_than_allowed() {
    let workers = Workers::new(&limits(2, 4));
    let releases: Vec<_> = (0..2).map(|_| hang(&workers, in_ms(60_000)).1).collect();
    for _ in 0..4 {
        workers.submit(in_ms(60_000), Box::new(|| ())).unwrap();
    }
    assert_eq!(workers.stats().waiting, 4);
    assert_eq!(workers.submit(in_ms(60_000), Box::new(|| ())).unwrap_err(), Overloaded { stuck: 0, waiting: 4 });
    drop(releases);
    eventually(|| workers.stats() == Stats::default());
}

#[test]
fn a_panic_in_a_call_costs_no_thread() {
    let workers = Workers::new(&limits(1, 1));
    workers.submit(in_ms(5000), Box::new(|| panic!("on purpose"))).unwrap();
    let (sender, receiver) = mpsc::channel();
    workers.submit(in_ms(5000), Box::new(move || sender.send(1).unwrap())).unwrap();
    assert_eq!(receiver.recv_timeout(Duration::from_secs(5)), Ok(1));
}

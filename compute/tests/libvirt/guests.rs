//! Commands on a real libvirtd: what is done, what is refused, and what is noticed.

use std::time::{Duration, Instant};

use crate::support::{bench, bench_in, create, domain_state, force, virsh};
use cuttle_compute::hypervisor::{Event, Found};
use cuttle_compute::process;
use cuttle_compute_protocol::{Action, Outcome, Refusal, ShutdownMode};
use cuttle_model::ids::{Epoch, InstanceId};
use cuttle_model::instance::PowerState;

fn pids(instance: InstanceId) -> Vec<i32> {
    process::of_instance(std::path::Path::new("/proc"), instance).unwrap()
}

fn clean(timeout_seconds: u64) -> Action {
    Action::StopGuest { mode: ShutdownMode::Clean { timeout_seconds } }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_created_paused_and_runs_only_when_resumed() {
    let mut bench = bench().await;
    let instance = bench.instance();
    assert_eq!(bench.run(instance, 1, create()).await, Outcome::Guest { power: PowerState::Paused });
    assert_eq!(domain_state(instance).as_deref(), Some("paused"));
    assert_eq!(
        virsh(&["dominfo", &instance.to_string()])
            .unwrap()
            .lines()
            .filter(|l| l.contains("Persistent:") && l.contains("no"))
            .count(),
        1
    );
    assert_eq!(bench.run(instance, 1, create()).await, Outcome::Guest { power: PowerState::Paused });
    assert_eq!(pids(instance).len(), 1);

    assert_eq!(bench.run(instance, 1, Action::ResumeGuest).await, Outcome::Guest { power: PowerState::Running });
    assert_eq!(domain_state(instance).as_deref(), Some("running"));
    assert_eq!(bench.run(instance, 1, Action::ResumeGuest).await, Outcome::Guest { power: PowerState::Running });
    assert_eq!(bench.run(instance, 1, create()).await, Outcome::Guest { power: PowerState::Running });

    assert_eq!(bench.run(instance, 1, force()).await, Outcome::Gone);
    assert_eq!((domain_state(instance), pids(instance)), (None, vec![]));
    assert_eq!(bench.run(instance, 1, force()).await, Outcome::Gone);
    let refused = Outcome::Refused { refusal: Refusal::OldEpoch { newest: Epoch(1) } };
    assert_eq!(bench.run(instance, 1, create()).await, refused);
    assert_eq!(bench.run(instance, 1, Action::ResumeGuest).await, Outcome::Refused { refusal: Refusal::NoGuest });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_epoch_replaces_the_older_guest_and_the_older_one_is_refused() {
    let mut bench = bench().await;
    let instance = bench.instance();
    bench.run(instance, 1, create()).await;
    let old = pids(instance);
    assert_eq!(bench.run(instance, 3, create()).await, Outcome::Guest { power: PowerState::Paused });
    let new = pids(instance);
    assert!(new.len() == 1 && new != old, "{old:?} {new:?}");
    for action in [create(), Action::ResumeGuest, force()] {
        let refused = Outcome::Refused { refusal: Refusal::OldEpoch { newest: Epoch(3) } };
        assert_eq!(bench.run(instance, 2, action).await, refused);
    }
    assert_eq!(pids(instance), new);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_ignores_the_power_button_is_destroyed_in_the_end() {
    let mut bench = bench().await;
    let instance = bench.instance();
    bench.run(instance, 1, create()).await;
    bench.run(instance, 1, Action::ResumeGuest).await;
    let started = Instant::now();
    assert_eq!(bench.run(instance, 1, clean(3)).await, Outcome::Gone);
    assert!(started.elapsed() >= Duration::from_secs(3), "it was given no time");
    assert_eq!((domain_state(instance), pids(instance)), (None, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_guest_hears_no_button_and_is_ended_at_once() {
    let mut bench = bench().await;
    let instance = bench.instance();
    bench.run(instance, 1, create()).await;
    let started = Instant::now();
    assert_eq!(bench.run(instance, 1, clean(60)).await, Outcome::Gone);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_agent_adopts_guests_and_keeps_promises() {
    let mut first = bench().await;
    let (running, stopped) = (first.instance(), first.instance());
    first.run(running, 4, create()).await;
    first.run(running, 4, Action::ResumeGuest).await;
    first.run(stopped, 2, create()).await;
    first.run(stopped, 2, force()).await;
    let process = pids(running);

    let second = bench_in(first.guests.context().state.clone());
    let found = second.hypervisor().guests().await.unwrap();
    let adopted = found.iter().find(|guest| guest.instance_id == running).unwrap();
    assert_eq!((adopted.epoch, adopted.power), (Epoch(4), PowerState::Running));
    assert_eq!(pids(running), process);
    assert!(matches!(second.run(running, 3, force()).await, Outcome::Refused { .. }));
    assert!(matches!(second.run(stopped, 2, create()).await, Outcome::Refused { .. }));
    assert_eq!(second.run(running, 4, force()).await, Outcome::Gone);
    assert!(pids(running).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_whose_process_dies_is_news() {
    let mut bench = bench().await;
    let instance = bench.instance();
    bench.event(|event| *event == Event::Connected).await;
    bench.run(instance, 7, create()).await;
    bench.run(instance, 7, Action::ResumeGuest).await;
    let pid = rustix::process::Pid::from_raw(pids(instance)[0]).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let event =
        bench.event(|event| matches!(event, Event::Changed { instance_id, ended: Some(_) } if *instance_id == instance)).await;
    let Event::Changed { ended, .. } = event else { unreachable!() };
    assert_eq!(ended, Some(PowerState::Crashed));
    bench.guests.look(instance, ended);
    let started = Instant::now();
    let news = loop {
        if let Some((_, state)) = bench.guests.context().outbox.guests().pop() {
            break state;
        }
        assert!(started.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((news.instance_id, news.epoch, news.power), (instance, Epoch(7), PowerState::Crashed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_libvirt_does_not_know_is_found_and_ended() {
    let mut bench = bench().await;
    let instance = bench.instance();
    let mut process =
        std::process::Command::new("sh").args(["-c", "sleep 300; :", "sh", "-uuid", &instance.to_string()]).spawn().unwrap();
    let reaper = std::thread::spawn(move || process.wait().unwrap());
    assert_eq!(bench.run(instance, 1, force()).await, Outcome::Gone);
    assert!(pids(instance).is_empty());
    assert!(!reaper.join().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_somebody_else_made_is_left_alone() {
    let mut bench = bench().await;
    let instance = bench.instance();
    let xml = format!(
        "<domain type='qemu'><name>foreign-{instance}</name><uuid>{instance}</uuid><memory unit='MiB'>32</memory>\
         <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), xml).unwrap();
    virsh(&["create", "--paused", &file.path().display().to_string()]).unwrap();

    assert_eq!(bench.hypervisor().find(instance).await.unwrap(), Found::Foreign);
    assert!(bench.hypervisor().guests().await.unwrap().iter().all(|guest| guest.instance_id != instance));
    for action in [create(), force(), Action::ForgetGuest] {
        assert!(matches!(bench.run(instance, 1, action).await, Outcome::Failed { retry: false, .. }));
    }
    assert_eq!(domain_state(instance).as_deref(), Some("paused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_is_logged_across_restarts_of_the_guest_and_forgotten_with_the_instance() {
    let mut bench = bench().await;
    let instance = bench.instance();
    let log = bench.guests.context().state.console_log(instance);
    let mut length = 0;
    for epoch in [1, 2] {
        bench.run(instance, epoch, create()).await;
        assert!(log.exists(), "virtlogd or QEMU makes the log");
        std::fs::write(&log, format!("{}run {epoch}\n", std::fs::read_to_string(&log).unwrap())).unwrap();
        bench.run(instance, epoch, force()).await;
        let now = std::fs::metadata(&log).unwrap().len();
        assert!(now > length, "the log was cut");
        length = now;
    }
    let Outcome::Console { text } = bench.run(instance, 2, Action::ReadConsole { max_bytes: 1000 }).await else {
        panic!("no text");
    };
    assert!(text.contains("run 1\nrun 2\n"), "{text:?}");
    assert_eq!(bench.run(instance, 2, Action::ForgetGuest).await, Outcome::Gone);
    assert!(!log.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_guests_are_worked_on_at_once() {
    let mut bench = bench().await;
    let instances: Vec<_> = (0..4).map(|_| bench.instance()).collect();
    let created = futures::future::join_all(instances.iter().map(|instance| bench.run(*instance, 1, create()))).await;
    assert!(created.iter().all(|outcome| *outcome == Outcome::Guest { power: PowerState::Paused }), "{created:?}");
    let gone = futures::future::join_all(instances.iter().map(|instance| bench.run(*instance, 1, force()))).await;
    assert!(gone.iter().all(|outcome| *outcome == Outcome::Gone), "{gone:?}");
}

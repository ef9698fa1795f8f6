//! The queues, with a hypervisor that is as slow as it is told.

use std::collections::HashMap;
use std::time::Instant;

use async_trait::async_trait;
use cuttle_compute_protocol::{CephConnection, CephIdentity, GuestSpec, Refusal, ShutdownMode};
use cuttle_model::clock::{SystemClock, Timestamp};
use cuttle_model::host::VirtType;
use cuttle_model::ids::{CommandId, Epoch};
use uuid::Uuid;

use super::context::Reach;
use super::*;
use crate::control::Outbox;
use crate::domain_xml::{Blueprint, CpuModel, MachineSettings};
use crate::epochs::Epochs;
use crate::hypervisor::{Found, Guest, Healed, Hypervisor, HypervisorError, Node, SecretState};
use crate::news::News;
use crate::secret::{CephAccess, CephSecret};
use crate::state_dir::StateDir;

#[derive(Default)]
struct Fake {
    guests: Mutex<HashMap<InstanceId, Guest>>,
    calls: Mutex<Vec<(InstanceId, &'static str)>>,
    slow: Option<InstanceId>,
}

impl Fake {
    async fn note(&self, instance: InstanceId, call: &'static str) {
        self.calls.lock().unwrap().push((instance, call));
        if self.slow == Some(instance) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn set(&self, instance: InstanceId, epoch: Epoch, power: PowerState) {
        let guest = Guest { instance_id: instance, epoch, power, storage_failed: false };
        self.guests.lock().unwrap().insert(instance, guest);
    }
}

#[async_trait]
impl Hypervisor for Fake {
    async fn node(&self) -> Result<Node, HypervisorError> {
        Err(HypervisorError::Broken("not asked".to_owned()))
    }
    async fn guests(&self) -> Result<Vec<Guest>, HypervisorError> {
        Ok(self.guests.lock().unwrap().values().cloned().collect())
    }
    async fn find(&self, instance: InstanceId) -> Result<Found, HypervisorError> {
        Ok(self.guests.lock().unwrap().get(&instance).cloned().map_or(Found::Nothing, Found::Ours))
    }
    async fn assert_secret(&self, _: &CephSecret) -> Result<Healed, HypervisorError> {
        Ok(Healed::AsExpected)
    }
    async fn look_at_secret(&self, _: Uuid) -> Result<SecretState, HypervisorError> {
        Ok(SecretState::Usable)
    }
    async fn forget_secrets_but(&self, _: &[Uuid]) -> Result<(), HypervisorError> {
        Ok(())
    }
    async fn ceph_clients(&self) -> Result<Vec<String>, HypervisorError> {
        Ok(Vec::new())
    }
    async fn create(&self, blueprint: &Blueprint) -> Result<(), HypervisorError> {
        self.note(blueprint.instance_id, "create").await;
        assert!(!self.guests.lock().unwrap().contains_key(&blueprint.instance_id), "two guests of one instance");
        self.set(blueprint.instance_id, blueprint.epoch, PowerState::Paused);
        Ok(())
    }
    async fn resume(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        self.note(instance, "resume").await;
        self.guests.lock().unwrap().get_mut(&instance).unwrap().power = PowerState::Running;
        Ok(())
    }
    async fn pause(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        self.note(instance, "pause").await;
        self.guests.lock().unwrap().get_mut(&instance).unwrap().power = PowerState::Paused;
        Ok(())
    }
    async fn press_power_button(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        self.note(instance, "press").await;
        Ok(())
    }
    async fn destroy(&self, instance: InstanceId) -> Result<(), HypervisorError> {
        self.note(instance, "destroy").await;
        self.guests.lock().unwrap().remove(&instance);
        Ok(())
    }
    async fn wait_gone(&self, _: InstanceId, timeout: Duration) -> Result<bool, HypervisorError> {
        tokio::time::sleep(timeout).await;
        Ok(false)
    }
    fn last_call(&self) -> Duration {
        Duration::ZERO
    }
}

struct Bench {
    fake: Arc<Fake>,
    guests: Guests,
    _directory: tempfile::TempDir,
}

fn bench(fake: Fake) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let fake = Arc::new(fake);
    let storage = Storage::default();
    let identity = CephIdentity { client: "client.cuttle.h.1".to_owned(), key: "AQ==".to_owned() };
    let ceph = CephConnection { fsid: Uuid::nil(), monitors: Vec::new() };
    storage.set(Reach { access: CephAccess::Own(CephSecret::new(ceph.fsid, &identity).unwrap()), ceph });
    let machine = MachineSettings { virt_type: VirtType::Qemu, cpu_model: CpuModel::HostModel, vnc_listen: "::1".to_owned() };
    let context = Context {
        hypervisor: Arc::clone(&fake) as Arc<dyn Hypervisor>,
        epochs: Epochs::new(state.clone()),
        state,
        clock: Arc::new(SystemClock),
        machine,
        storage,
        known: Known::default(),
        outbox: Arc::new(Outbox::default()),
        librbd_conf: crate::librbd_conf::LibrbdConf::new(None),
        health: crate::storage_health::Health::default(),
        news: News::new(Arc::new(SystemClock)),
        console_max_bytes: 1000,
        press_interval: Duration::from_millis(20),
    };
    Bench { fake, guests: Guests::new(Arc::new(context)), _directory: directory }
}

fn instance(number: u128) -> InstanceId {
    InstanceId::from_uuid(Uuid::from_u128(number))
}

fn command(instance_id: InstanceId, epoch: i64, action: Action) -> Command {
    let not_after = Timestamp::from_micros(i64::MAX);
    Command { id: CommandId::from_uuid(Uuid::new_v4()), instance_id, epoch: Epoch(epoch), action, not_after }
}

fn create() -> Action {
    let spec = GuestSpec {
        name: "a".to_owned(),
        project_id: "p".to_owned(),
        vcpus: 1,
        ram_mib: 64,
        disks: Vec::new(),
        properties: Default::default(),
    };
    Action::CreateGuest { spec: Box::new(spec) }
}

const FORCE: Action = Action::StopGuest { mode: ShutdownMode::Force };

impl Bench {
    async fn outcomes(&self, count: usize) -> Vec<Outcome> {
        let started = Instant::now();
        loop {
            let reports = self.guests.context().outbox.reports(100, |_| false);
            if reports.len() >= count {
                return reports.into_iter().map(|(_, report)| report.outcome).collect();
            }
            assert!(started.elapsed() < Duration::from_secs(10), "only {reports:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until a guest's power button was pressed this often.
    async fn pressed(&self, instance: InstanceId, times: usize) {
        let started = Instant::now();
        while self.calls(instance).iter().filter(|call| **call == "press").count() < times {
            assert!(started.elapsed() < Duration::from_secs(10), "{:?}", self.calls(instance));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn calls(&self, instance: InstanceId) -> Vec<&'static str> {
        let calls = self.fake.calls.lock().unwrap();
        calls.iter().filter(|(of, _)| *of == instance).map(|(_, call)| *call).collect()
    }
}

#[tokio::test]
async fn commands_of_one_instance_come_in_order() {
    let bench = bench(Fake { slow: Some(instance(1)), ..Fake::default() });
    for action in [create(), Action::ResumeGuest, FORCE, create()] {
        bench.guests.command(command(instance(1), 1, action));
    }
    let outcomes = bench.outcomes(4).await;
    assert_eq!(outcomes[0], Outcome::Guest { power: PowerState::Paused });
    assert_eq!(outcomes[1], Outcome::Guest { power: PowerState::Running });
    assert_eq!(outcomes[2], Outcome::Gone);
    assert_eq!(outcomes[3], Outcome::Refused { refusal: Refusal::OldEpoch { newest: Epoch(1) } });
    assert_eq!(bench.calls(instance(1)), ["destroy", "create", "resume", "destroy"]);
}

#[tokio::test]
async fn a_slow_guest_holds_up_nobody_else() {
    let bench = bench(Fake { slow: Some(instance(1)), ..Fake::default() });
    bench.guests.command(command(instance(1), 1, create()));
    bench.guests.command(command(instance(2), 1, create()));
    bench.outcomes(1).await;
    assert_eq!(bench.calls(instance(2)), ["destroy", "create"]);
    assert_eq!(bench.calls(instance(1)), ["destroy"]);
    bench.outcomes(2).await;
}

#[tokio::test]
async fn a_command_delivered_twice_is_done_once_and_answered_twice() {
    let bench = bench(Fake::default());
    let command = command(instance(1), 1, create());
    bench.guests.command(command.clone());
    bench.guests.command(command.clone());
    bench.outcomes(1).await;
    bench.guests.command(command);
    assert_eq!(bench.outcomes(2).await.len(), 2);
    assert_eq!(bench.calls(instance(1)), ["destroy", "create"]);
}

#[tokio::test]
async fn a_late_command_and_an_old_one_do_nothing() {
    let bench = bench(Fake::default());
    bench.guests.command(Command { not_after: Timestamp::from_micros(0), ..command(instance(1), 1, create()) });
    assert_eq!(bench.outcomes(1).await[0], Outcome::Refused { refusal: Refusal::TooLate });
    bench.guests.command(command(instance(1), 5, create()));
    bench.guests.command(command(instance(1), 4, FORCE));
    let refused = Outcome::Refused { refusal: Refusal::OldEpoch { newest: Epoch(5) } };
    assert_eq!(bench.outcomes(3).await[2], refused);
    assert_eq!(bench.fake.guests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_newer_epoch_ends_the_older_guest_first() {
    let bench = bench(Fake::default());
    bench.fake.set(instance(1), Epoch(1), PowerState::Running);
    bench.guests.command(command(instance(1), 2, create()));
    bench.outcomes(1).await;
    assert_eq!(bench.calls(instance(1)), ["destroy", "create"]);
    bench.guests.command(command(instance(1), 2, create()));
    assert_eq!(bench.outcomes(2).await[1], Outcome::Guest { power: PowerState::Paused });
    assert_eq!(bench.calls(instance(1)).len(), 2);
}

#[tokio::test]
async fn a_guest_that_is_still_being_created_is_neither_there_nor_gone() {
    let bench = bench(Fake::default());
    bench.fake.set(instance(1), Epoch(1), PowerState::Unknown);
    bench.guests.command(command(instance(1), 1, create()));
    bench.guests.command(command(instance(1), 1, Action::ResumeGuest));
    for outcome in bench.outcomes(2).await {
        assert!(matches!(outcome, Outcome::Failed { retry: true, .. }), "{outcome:?}");
    }
    actions::look::run(bench.guests.context(), instance(1), None).await;
    assert!(bench.guests.context().outbox.guests().is_empty());
    bench.guests.command(command(instance(1), 1, FORCE));
    assert_eq!(bench.outcomes(3).await[2], Outcome::Gone);
}

#[tokio::test]
async fn a_guest_that_ignores_the_button_loses_its_plug() {
    let bench = bench(Fake::default());
    bench.fake.set(instance(1), Epoch(1), PowerState::Running);
    let mode = ShutdownMode::Clean { timeout_seconds: 1 };
    bench.guests.command(command(instance(1), 1, Action::StopGuest { mode }));
    assert_eq!(bench.outcomes(1).await[0], Outcome::Gone);
    let calls = bench.calls(instance(1));
    assert!(calls.iter().filter(|call| **call == "press").count() > 5, "{calls:?}");
    assert_eq!(calls.last(), Some(&"destroy"));
}

#[tokio::test]
async fn a_guest_that_ignores_the_button_is_ended_at_once_when_somebody_is_in_a_hurry() {
    for hard in [FORCE, Action::ForgetGuest] {
        let bench = bench(Fake::default());
        bench.fake.set(instance(1), Epoch(2), PowerState::Running);
        let mode = ShutdownMode::Clean { timeout_seconds: 3600 };
        bench.guests.command(command(instance(1), 2, Action::StopGuest { mode }));
        // One of an older epoch is nobody's hurry, nor is another clean one.
        bench.guests.command(command(instance(1), 1, FORCE));
        bench.guests.command(command(instance(1), 2, Action::StopGuest { mode }));
        bench.pressed(instance(1), 3).await;
        assert!(bench.guests.context().outbox.reports(100, |_| false).is_empty());
        bench.guests.command(command(instance(1), 2, hard));
        let outcomes = bench.outcomes(4).await;
        assert_eq!((&outcomes[0], &outcomes[3]), (&Outcome::Gone, &Outcome::Gone), "{outcomes:?}");
        assert!(matches!(outcomes[1], Outcome::Refused { .. }), "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_console_is_read_while_its_guest_shuts_down() {
    let bench = bench(Fake::default());
    bench.fake.set(instance(1), Epoch(1), PowerState::Running);
    let mode = ShutdownMode::Clean { timeout_seconds: 3600 };
    bench.guests.command(command(instance(1), 1, Action::StopGuest { mode }));
    bench.pressed(instance(1), 1).await;
    bench.guests.command(command(instance(1), 1, Action::ReadConsole { max_bytes: 9 }));
    assert_eq!(bench.outcomes(1).await[0], Outcome::Console { text: String::new() });
}

#[tokio::test]
async fn only_what_happened_by_itself_is_news() {
    let bench = bench(Fake::default());
    bench.guests.command(command(instance(1), 1, create()));
    bench.guests.command(command(instance(1), 1, Action::ResumeGuest));
    bench.guests.look(instance(1), None);
    bench.outcomes(2).await;
    bench.guests.settle(Duration::from_secs(5)).await;
    assert!(bench.guests.context().outbox.guests().is_empty());

    bench.fake.guests.lock().unwrap().clear();
    actions::look::run(bench.guests.context(), instance(1), Some(PowerState::Crashed)).await;
    let news = bench.guests.context().outbox.guests();
    assert_eq!(news[0].1.power, PowerState::Crashed);
    assert_eq!(news[0].1.epoch, Epoch(1));
}

#[tokio::test]
async fn a_guest_that_appears_after_it_was_stopped_is_ended() {
    let bench = bench(Fake::default());
    bench.guests.command(command(instance(1), 3, FORCE));
    bench.outcomes(1).await;
    bench.fake.set(instance(1), Epoch(3), PowerState::Paused);
    actions::look::run(bench.guests.context(), instance(1), None).await;
    assert!(bench.fake.guests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_guest_that_outlived_a_failed_stop_is_left_running() {
    let bench = bench(Fake::default());
    bench.guests.command(command(instance(1), 3, FORCE));
    bench.outcomes(1).await;
    bench.fake.set(instance(1), Epoch(3), PowerState::Running);
    actions::look::run(bench.guests.context(), instance(1), None).await;
    assert_eq!(bench.fake.guests.lock().unwrap().len(), 1);
    assert_eq!(bench.guests.context().outbox.guests()[0].1.power, PowerState::Running);
}

#[tokio::test]
async fn a_disowned_guest_is_ended_and_never_started_again() {
    let bench = bench(Fake::default());
    bench.fake.set(instance(1), Epoch(3), PowerState::Running);
    actions::disown::run(bench.guests.context(), instance(1)).await;
    assert!(bench.fake.guests.lock().unwrap().is_empty());
    assert_eq!(bench.guests.context().outbox.guests()[0].1.power, PowerState::Shutdown);
    bench.guests.command(command(instance(1), 3, create()));
    assert!(matches!(bench.outcomes(1).await[0], Outcome::Refused { .. }));
}

#[tokio::test]
async fn a_forgotten_instance_leaves_nothing_but_the_promise() {
    let bench = bench(Fake::default());
    bench.guests.command(command(instance(1), 1, create()));
    bench.outcomes(1).await;
    let log = bench.guests.context().state.console_log(instance(1));
    std::fs::write(&log, "booted").unwrap();
    bench.guests.command(command(instance(1), 1, Action::ReadConsole { max_bytes: 4 }));
    bench.outcomes(2).await;
    bench.guests.command(command(instance(1), 2, Action::ForgetGuest));
    bench.guests.command(command(instance(1), 1, create()));
    let outcomes = bench.outcomes(4).await;
    assert_eq!(outcomes[1], Outcome::Console { text: "oted".to_owned() });
    assert_eq!(outcomes[2], Outcome::Gone);
    assert!(matches!(outcomes[3], Outcome::Refused { .. }));
    assert!(!log.exists() && bench.fake.guests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_inventory_names_every_guest_and_disturbs_none() {
    let bench = bench(Fake::default());
    bench.fake.set(instance(1), Epoch(3), PowerState::Running);
    bench.fake.set(instance(2), Epoch(1), PowerState::Paused);
    bench.guests.command(command(instance(9), 0, Action::TakeInventory));
    let outcome = bench.outcomes(1).await.remove(0);
    let Outcome::Inventory { inventory } = outcome else { panic!("{outcome:?}") };
    let mut guests: Vec<_> = inventory.guests.iter().map(|guest| (guest.instance_id, guest.epoch, guest.power)).collect();
    guests.sort_by_key(|(instance, ..)| *instance);
    assert_eq!(guests, [(instance(1), Epoch(3), PowerState::Running), (instance(2), Epoch(1), PowerState::Paused)]);
    assert!(bench.calls(instance(1)).is_empty() && bench.guests.context().outbox.guests().is_empty());
}

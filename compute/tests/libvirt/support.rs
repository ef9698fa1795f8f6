//! A real libvirtd for the tests, and the agent's parts around it.
//!
//! `CUTTLE_TEST_LIBVIRT_URI` names the libvirtd; `CUTTLE_TEST_LIBVIRT_RESTART` is a command that kills
//! it and brings it back. Nothing is skipped: where they are missing, the tests fail and say so.

use std::collections::BTreeMap;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cuttle_compute::control::Outbox;
use cuttle_compute::domain_xml::{CpuModel, MachineSettings};
use cuttle_compute::epochs::Epochs;
use cuttle_compute::guest::{Context, Guests, Known, Storage, context::Reach};
use cuttle_compute::hypervisor::{Event, Events, Hypervisor};
use cuttle_compute::libvirt::{Deadlines, Libvirt};
use cuttle_compute::news::News;
use cuttle_compute::secret::{CephAccess, CephSecret};
use cuttle_compute::state_dir::StateDir;
use cuttle_compute_protocol::{Action, CephConnection, CephIdentity, Command, GuestSpec, Outcome, ShutdownMode};
use cuttle_model::clock::{SystemClock, Timestamp};
use cuttle_model::host::VirtType;
use cuttle_model::ids::{CommandId, Epoch, InstanceId};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use uuid::Uuid;

pub const DEADLINES: Deadlines =
    Deadlines { call: Duration::from_secs(20), create: Duration::from_secs(60), destroy: Duration::from_secs(30) };

pub fn uri() -> String {
    std::env::var("CUTTLE_TEST_LIBVIRT_URI")
        .expect("CUTTLE_TEST_LIBVIRT_URI must name a libvirtd that the tests may create guests on")
}

/// Kills libvirtd and waits until another one answers.
pub fn restart_libvirtd() {
    let command = std::env::var("CUTTLE_TEST_LIBVIRT_RESTART")
        .expect("CUTTLE_TEST_LIBVIRT_RESTART must be a command that restarts the libvirtd of CUTTLE_TEST_LIBVIRT_URI");
    let status = Process::new("sh").arg("-c").arg(&command).status().unwrap();
    assert!(status.success(), "{command} failed: {status}");
    let started = Instant::now();
    while virsh(&["version"]).is_err() {
        assert!(started.elapsed() < Duration::from_secs(30), "libvirtd did not come back");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Asks libvirt in another way than the code under test does.
pub fn virsh(arguments: &[&str]) -> Result<String, String> {
    let output = Process::new("virsh").arg("-q").arg("-c").arg(uri()).args(arguments).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

pub fn domain_state(instance: InstanceId) -> Option<String> {
    virsh(&["domstate", &instance.to_string()]).ok()
}

pub fn fresh_instance() -> InstanceId {
    InstanceId::from_uuid(Uuid::new_v4())
}

pub fn secret(client: &str) -> CephSecret {
    let identity = CephIdentity { client: client.to_owned(), key: "AQBhYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg==".to_owned() };
    CephSecret::new(Uuid::from_u128(0xc0de), &identity).unwrap()
}

pub fn spec() -> GuestSpec {
    GuestSpec {
        name: "<test & \"guest\">".to_owned(),
        project_id: "p".to_owned(),
        vcpus: 1,
        ram_mib: 64,
        disks: Vec::new(),
        properties: BTreeMap::new(),
    }
}

/// The agent's parts, without a control plane.
pub struct Bench {
    pub guests: Guests,
    pub events: Events,
    instances: Vec<InstanceId>,
    _held: Option<(tempfile::TempDir, Turn)>,
}

/// Restarting libvirtd disturbs whoever uses it meanwhile, and a probe takes a CPU.
static LIBVIRTD: RwLock<()> = RwLock::const_new(());

/// For how long others may use libvirtd, or may not.
pub enum Turn {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

/// Another agent on the same state, as after a restart.
pub fn bench_in(state: StateDir) -> Bench {
    let (libvirt, events) = Libvirt::new(&uri(), DEADLINES).unwrap();
    let storage = Storage::default();
    let ceph = CephConnection { fsid: Uuid::from_u128(0xc0de), monitors: Vec::new() };
    storage.set(Reach { ceph, access: CephAccess::Own(secret("client.cuttle.test.1")) });
    let machine =
        MachineSettings { virt_type: VirtType::Qemu, cpu_model: CpuModel::HostModel, vnc_listen: "127.0.0.1".to_owned() };
    let context = Context {
        hypervisor: Arc::new(libvirt),
        epochs: Epochs::new(state.clone()),
        state,
        clock: Arc::new(SystemClock),
        machine,
        storage,
        known: Known::default(),
        outbox: Arc::new(Outbox::default()),
        librbd_conf: cuttle_compute::librbd_conf::LibrbdConf::new(None),
        health: cuttle_compute::storage_health::Health::default(),
        news: News::new(Arc::new(SystemClock)),
        console_max_bytes: 1 << 20,
        press_interval: Duration::from_secs(1),
    };
    Bench { guests: Guests::new(Arc::new(context)), events, instances: Vec::new(), _held: None }
}

/// A new agent, beside those of other tests.
pub async fn bench() -> Bench {
    with(Turn::Shared { _guard: LIBVIRTD.read().await })
}

/// A new agent, while no other test uses libvirtd.
pub async fn bench_alone() -> Bench {
    with(Turn::Alone { _guard: LIBVIRTD.write().await })
}

fn with(turn: Turn) -> Bench {
    let directory = tempfile::Builder::new().prefix("cuttle-compute-test-").tempdir_in("/var/tmp").unwrap();
    let mut bench = bench_in(StateDir::open(directory.path()).unwrap());
    bench._held = Some((directory, turn));
    bench
}

impl Bench {
    pub fn hypervisor(&self) -> &dyn Hypervisor {
        &*self.guests.context().hypervisor
    }

    /// A new instance, whose guest is ended with the bench.
    pub fn instance(&mut self) -> InstanceId {
        let instance = fresh_instance();
        self.instances.push(instance);
        instance
    }

    /// Gives a command and waits for its report.
    pub async fn run(&self, instance_id: InstanceId, epoch: i64, action: Action) -> Outcome {
        let id = CommandId::from_uuid(Uuid::new_v4());
        let not_after = Timestamp::from_micros(i64::MAX);
        self.guests.command(Command { id, instance_id, epoch: Epoch(epoch), action, not_after });
        let outbox = &self.guests.context().outbox;
        let started = Instant::now();
        loop {
            let report = outbox.reports(usize::MAX, |_| false).into_iter().find(|(_, report)| report.command_id == id);
            if let Some((number, report)) = report {
                outbox.report_taken(number);
                return report.outcome;
            }
            assert!(started.elapsed() < Duration::from_secs(90), "no report");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits for an event that `wanted` says is the one.
    pub async fn event(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("events go on");
                if wanted(&event) {
                    return event;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), search).await.expect("the event within 30 s")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for instance in &self.instances {
            let _ = virsh(&["destroy", &instance.to_string()]);
        }
    }
}

pub fn create() -> Action {
    Action::CreateGuest { spec: Box::new(spec()) }
}

pub fn force() -> Action {
    Action::StopGuest { mode: ShutdownMode::Force }
}

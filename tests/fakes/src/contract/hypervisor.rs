//! What every hypervisor must do: the suite that libvirt and the machine in memory both pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cuttle_compute::domain_xml::{Blueprint, CpuModel, MachineSettings};
use cuttle_compute::hypervisor::{Event, Events, Found, Hypervisor};
use cuttle_compute::secret::CephSecret;
use cuttle_compute::state_dir::StateDir;
use cuttle_compute_protocol::{CephConnection, CephIdentity, GuestSpec};
use cuttle_model::host::VirtType;
use cuttle_model::ids::{Epoch, InstanceId};
use cuttle_model::instance::PowerState;
use uuid::Uuid;

/// How long an event may take to arrive.
const LIMIT: Duration = Duration::from_secs(30);

/// What a test works with. Whatever it creates on `instance` is ended after it.
pub struct Bench {
    pub hypervisor: Arc<dyn Hypervisor>,
    pub events: Events,
    pub state: StateDir,
    pub instance: InstanceId,
    /// Kills a guest's process, as a machine without memory does.
    pub kill: Box<dyn Fn(InstanceId) + Send + Sync>,
    /// Makes a domain with an instance's UUID that no agent made.
    pub make_foreign: Box<dyn Fn(InstanceId) + Send + Sync>,
}

impl Bench {
    fn secret(&self) -> CephSecret {
        let key = "AQBhYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg==".to_owned();
        CephSecret::new(Uuid::from_u128(0xc0de), &CephIdentity { client: "client.cuttle.contract.1".to_owned(), key }).unwrap()
    }

    /// A small guest without a disk.
    fn blueprint(&self, epoch: i64) -> Blueprint {
        self.state.make_instance(self.instance).unwrap();
        let spec = GuestSpec {
            name: "contract".to_owned(),
            project_id: "p".to_owned(),
            vcpus: 1,
            ram_mib: 64,
            disks: Vec::new(),
            properties: BTreeMap::new(),
        };
        let machine =
            MachineSettings { virt_type: VirtType::Qemu, cpu_model: CpuModel::HostModel, vnc_listen: "127.0.0.1".to_owned() };
        Blueprint {
            instance_id: self.instance,
            epoch: Epoch(epoch),
            spec,
            ceph: CephConnection { fsid: Uuid::from_u128(0xc0de), monitors: Vec::new() },
            ceph_client: "client.cuttle.contract.1".to_owned(),
            secret_uuid: self.secret().uuid,
            machine,
            librbd_conf: None,
            console_log: self.state.console_log(self.instance),
        }
    }

    async fn power(&self) -> Option<(Epoch, PowerState)> {
        match self.hypervisor.find(self.instance).await.unwrap() {
            Found::Ours(guest) => Some((guest.epoch, guest.power)),
            Found::Nothing => None,
            Found::Foreign => panic!("foreign"),
        }
    }

    async fn is_listed(&self) -> bool {
        self.hypervisor.guests().await.unwrap().iter().any(|guest| guest.instance_id == self.instance)
    }

    async fn event(&mut self, wanted: impl Fn(&Event) -> bool) {
        let search = async { while !wanted(&self.events.recv().await.expect("events go on")) {} };
        tokio::time::timeout(LIMIT, search).await.expect("the event did not come");
    }
}

pub async fn a_guest_is_created_paused_with_its_epoch_and_runs_when_resumed(bench: Bench) {
    assert_eq!(bench.power().await, None);
    bench.hypervisor.create(&bench.blueprint(7)).await.unwrap();
    assert_eq!(bench.power().await, Some((Epoch(7), PowerState::Paused)));
    assert!(bench.is_listed().await);
    for _ in 0..2 {
        bench.hypervisor.resume(bench.instance).await.unwrap();
        assert_eq!(bench.power().await, Some((Epoch(7), PowerState::Running)));
    }
}

pub async fn a_guest_stands_still_and_goes_on(bench: Bench) {
    assert!(bench.hypervisor.pause(bench.instance).await.is_err(), "what is not there does not stand still");
    bench.hypervisor.create(&bench.blueprint(7)).await.unwrap();
    bench.hypervisor.resume(bench.instance).await.unwrap();
    for _ in 0..2 {
        bench.hypervisor.pause(bench.instance).await.unwrap();
        assert_eq!(bench.power().await, Some((Epoch(7), PowerState::Paused)));
    }
    bench.hypervisor.resume(bench.instance).await.unwrap();
    assert_eq!(bench.power().await, Some((Epoch(7), PowerState::Running)));
}

pub async fn there_is_one_guest_of_an_instance(bench: Bench) {
    bench.hypervisor.create(&bench.blueprint(1)).await.unwrap();
    assert!(bench.hypervisor.create(&bench.blueprint(2)).await.is_err());
    assert_eq!(bench.power().await, Some((Epoch(1), PowerState::Paused)), "the first one is left alone");
}

pub async fn a_guest_ends_and_its_end_repeats(bench: Bench) {
    bench.hypervisor.destroy(bench.instance).await.unwrap();
    bench.hypervisor.create(&bench.blueprint(1)).await.unwrap();
    bench.hypervisor.resume(bench.instance).await.unwrap();
    for _ in 0..2 {
        bench.hypervisor.destroy(bench.instance).await.unwrap();
        assert_eq!(bench.power().await, None);
        assert!(!bench.is_listed().await);
    }
    assert!(bench.hypervisor.resume(bench.instance).await.is_err(), "what is gone does not run");
    bench.hypervisor.create(&bench.blueprint(2)).await.unwrap();
    assert_eq!(bench.power().await, Some((Epoch(2), PowerState::Paused)));
}

pub async fn waiting_for_a_guests_end_ends(bench: Bench) {
    assert!(bench.hypervisor.wait_gone(bench.instance, Duration::from_secs(5)).await.unwrap(), "nothing is gone");
    bench.hypervisor.create(&bench.blueprint(1)).await.unwrap();
    let begun = Instant::now();
    assert!(!bench.hypervisor.wait_gone(bench.instance, Duration::from_millis(200)).await.unwrap());
    assert!(begun.elapsed() >= Duration::from_millis(200));
    let (hypervisor, instance) = (Arc::clone(&bench.hypervisor), bench.instance);
    let ending = tokio::spawn(async move { hypervisor.destroy(instance).await });
    assert!(bench.hypervisor.wait_gone(bench.instance, LIMIT).await.unwrap());
    ending.await.unwrap().unwrap();
}

pub async fn a_process_that_dies_is_an_event(mut bench: Bench) {
    bench.event(|event| *event == Event::Connected).await;
    bench.hypervisor.create(&bench.blueprint(1)).await.unwrap();
    bench.hypervisor.resume(bench.instance).await.unwrap();
    (bench.kill)(bench.instance);
    let instance = bench.instance;
    let died = Event::Changed { instance_id: instance, ended: Some(PowerState::Crashed) };
    bench.event(|event| *event == died).await;
    assert_eq!(bench.power().await, None);
}

pub async fn what_somebody_else_made_is_foreign_and_not_ours(bench: Bench) {
    (bench.make_foreign)(bench.instance);
    assert_eq!(bench.hypervisor.find(bench.instance).await.unwrap(), Found::Foreign);
    assert!(!bench.is_listed().await);
    assert!(bench.hypervisor.create(&bench.blueprint(1)).await.is_err());
}

pub async fn the_machine_says_what_it_has_and_takes_a_key_again_and_again(bench: Bench) {
    let node = bench.hypervisor.node().await.unwrap();
    assert!(node.vcpus > 0 && node.ram_mib > 0 && !node.architecture.is_empty(), "{node:?}");
    for _ in 0..2 {
        bench.hypervisor.assert_secret(&bench.secret()).await.unwrap();
    }
}

/// A test for each part of the contract. `$with_bench` runs a part on a bench, and cleans up after it.
#[macro_export]
macro_rules! hypervisor_contract {
    ($with_bench:path) => {
        $crate::hypervisor_contract! { @ $with_bench:
            a_guest_is_created_paused_with_its_epoch_and_runs_when_resumed
            a_guest_stands_still_and_goes_on
            there_is_one_guest_of_an_instance
            a_guest_ends_and_its_end_repeats
            waiting_for_a_guests_end_ends
            a_process_that_dies_is_an_event
            what_somebody_else_made_is_foreign_and_not_ours
            the_machine_says_what_it_has_and_takes_a_key_again_and_again
        }
    };
    (@ $with_bench:path: $($part:ident)+) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $part() {
            $with_bench($crate::contract::hypervisor::$part).await;
        }
    )+};
}

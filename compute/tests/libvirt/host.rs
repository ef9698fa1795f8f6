//! libvirt itself: restarts of libvirtd, the probe.

use std::time::Duration;

use crate::support::{self, bench, bench_alone, create, domain_state, restart_libvirtd, uri, virsh};
use cuttle_compute::domain_xml::{CpuModel, MachineSettings};
use cuttle_compute::hypervisor::{Event, Found, Hypervisor};
use cuttle_compute::libvirt::Libvirt;
use cuttle_compute::probe;
use cuttle_compute_protocol::{Action, Outcome};
use cuttle_model::host::VirtType;
use cuttle_model::instance::PowerState;

#[tokio::test(flavor = "multi_thread")]
async fn guests_outlive_libvirtd_and_its_return_is_noticed() {
    let mut bench = bench_alone().await;
    let instance = bench.instance();
    bench.event(|event| *event == Event::Connected).await;
    bench.run(instance, 1, create()).await;
    bench.run(instance, 1, Action::ResumeGuest).await;

    restart_libvirtd();
    bench.event(|event| *event == Event::Connected).await;
    let Found::Ours(guest) = bench.hypervisor().find(instance).await.unwrap() else {
        panic!("the guest is not known any more");
    };
    assert_eq!(guest.power, PowerState::Running);

    virsh(&["suspend", &instance.to_string()]).unwrap();
    bench.event(|event| matches!(event, Event::Changed { instance_id, ended: None } if *instance_id == instance)).await;
    assert_eq!(bench.run(instance, 1, support::force()).await, Outcome::Gone);
    assert_eq!(domain_state(instance), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_libvirtd_that_is_not_there_is_said_so() {
    let (libvirt, _events) = Libvirt::new("qemu+unix:///system?socket=/nowhere", support::DEADLINES).unwrap();
    let error = libvirt.guests().await.unwrap_err();
    assert!(error.is_worth_retrying(), "{error}");
    assert!(error.to_string().contains("/nowhere"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_says_what_it_has() {
    let bench = bench().await;
    let node = bench.hypervisor().node().await.unwrap();
    assert_eq!(node.architecture, "x86_64");
    assert!(node.vcpus > 0 && node.ram_mib > 100, "{node:?}");
    assert!(node.libvirt_version.split('.').count() == 3 && node.hypervisor_version.split('.').count() == 3, "{node:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_agrees_with_what_a_guest_really_does_and_is_remembered() {
    let bench = bench_alone().await;
    let state = &bench.guests.context().state;
    let (libvirt, _events) = Libvirt::new(&uri(), support::DEADLINES).unwrap();
    let node = libvirt.node().await.unwrap();
    let machine =
        MachineSettings { virt_type: VirtType::Kvm, cpu_model: CpuModel::HostModel, vnc_listen: "127.0.0.1".to_owned() };
    let probe = |boot_id: &'static str| probe::find(&libvirt, state, &node, boot_id, &machine, Duration::from_secs(15));
    let found = probe("boot-1").await.unwrap();
    eprintln!("{found:?}");
    assert!(found.virt_type == VirtType::Kvm || !found.reason.is_empty());
    assert_eq!(domain_state(cuttle_model::ids::InstanceId::from_uuid(cuttle_compute::domain_xml::probe::PROBE_UUID)), None);
    assert_eq!(probe("boot-1").await.unwrap(), found);
    if !std::path::Path::new("/dev/kvm").exists() {
        assert_eq!(found.virt_type, VirtType::Qemu);
    }
}

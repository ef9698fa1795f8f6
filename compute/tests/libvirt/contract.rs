//! What every hypervisor must do, on the real one.

use std::future::Future;
use std::sync::Arc;

use cuttle_compute::libvirt::Libvirt;
use cuttle_compute::process;
use cuttle_fakes::contract::hypervisor::Bench;
use cuttle_model::ids::InstanceId;

use crate::support::{self, DEADLINES, uri, virsh};

async fn with_bench<F, Fut>(part: F)
where
    F: FnOnce(Bench) -> Fut,
    Fut: Future<Output = ()>,
{
    // Keeps others from restarting libvirtd, and ends what the part has made.
    let mut held = support::bench().await;
    let (libvirt, events) = Libvirt::new(&uri(), DEADLINES).unwrap();
    part(Bench {
        hypervisor: Arc::new(libvirt),
        events,
        state: held.guests.context().state.clone(),
        instance: held.instance(),
        kill: Box::new(kill),
        make_foreign: Box::new(make_foreign),
    })
    .await;
}

fn kill(instance: InstanceId) {
    for pid in process::of_instance(std::path::Path::new("/proc"), instance).unwrap() {
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
}

fn make_foreign(instance: InstanceId) {
    let xml = format!(
        "<domain type='qemu'><name>foreign-{instance}</name><uuid>{instance}</uuid><memory unit='MiB'>32</memory>\
         <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), xml).unwrap();
    virsh(&["create", "--paused", &file.path().display().to_string()]).unwrap();
}

cuttle_fakes::hypervisor_contract!(with_bench);

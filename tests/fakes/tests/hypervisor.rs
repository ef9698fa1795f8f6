//! The machine in memory keeps the contract of hypervisors.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::future::Future;
use std::sync::Arc;

use cuttle_compute::state_dir::StateDir;
use cuttle_fakes::contract::hypervisor::Bench;
use cuttle_fakes::{MemoryCluster, MemoryHypervisor};
use cuttle_model::ids::{InstanceId, RandomIds};

async fn with_bench<F, Fut>(part: F)
where
    F: FnOnce(Bench) -> Fut,
    Fut: Future<Output = ()>,
{
    let directory = tempfile::tempdir().unwrap();
    let machine = MemoryHypervisor::new(MemoryCluster::default());
    let (killing, foreign) = (machine.clone(), machine.clone());
    part(Bench {
        events: machine.events(),
        hypervisor: Arc::new(machine),
        state: StateDir::open(directory.path()).unwrap(),
        instance: InstanceId::new(&RandomIds),
        kill: Box::new(move |instance| killing.kill(instance)),
        make_foreign: Box::new(move |instance| foreign.make_foreign(instance)),
    })
    .await;
}

cuttle_fakes::hypervisor_contract!(with_bench);

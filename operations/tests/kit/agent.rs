//! The agent, in this process: its real queues, actions and promises, over whatever hypervisor the world has. Only the
//! wire between it and the control plane is left out.

use std::sync::Arc;
use std::time::Duration;

use cuttle_compute::control::Outbox;
use cuttle_compute::domain_xml::{CpuModel, MachineSettings};
use cuttle_compute::epochs::Epochs;
use cuttle_compute::guest::context::Reach;
use cuttle_compute::guest::{Context, Guests, Known, Storage};
use cuttle_compute::hypervisor::{Event, Events, Hypervisor};
use cuttle_compute::news::News;
use cuttle_compute::secret::{CephAccess, CephSecret};
use cuttle_compute::state_dir::StateDir;
use cuttle_compute_protocol::{GuestState, Hello, VERSION};
use cuttle_model::clock::Clock;
use cuttle_model::host::{Host, HostResources, VirtType};
use cuttle_operations::{Control, hosts};
use futures::StreamExt;

/// An agent. It lives as long as its host, through all lives of the control plane.
#[derive(Clone)]
pub struct Agent {
    guests: Guests,
}

impl Agent {
    /// On the runtime of the host.
    pub fn start(hypervisor: Arc<dyn Hypervisor>, mut events: Events, state: StateDir, clock: Arc<dyn Clock>) -> Self {
        let machine =
            MachineSettings { virt_type: VirtType::Qemu, cpu_model: CpuModel::HostModel, vnc_listen: "127.0.0.1".to_owned() };
        let context = Context {
            hypervisor,
            epochs: Epochs::new(state.clone()),
            state,
            librbd_conf: cuttle_compute::librbd_conf::LibrbdConf::new(None),
            health: cuttle_compute::storage_health::Health::default(),
            news: News::new(Arc::clone(&clock)),
            clock,
            machine,
            storage: Storage::default(),
            known: Known::default(),
            outbox: Arc::new(Outbox::default()),
            console_max_bytes: 1 << 16,
            press_interval: Duration::from_millis(50),
        };
        let guests = Guests::new(Arc::new(context));
        let looking = guests.clone();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let Event::Changed { instance_id, ended } = event {
                    looking.look(instance_id, ended);
                }
            }
        });
        Self { guests }
    }

    /// Introduces itself to a control plane and serves it until it is dropped.
    pub async fn serve(&self, control: Control, host: Host) {
        let context = Arc::clone(self.guests.context());
        let found = context.hypervisor.guests().await.unwrap();
        let guests = found
            .iter()
            .map(|guest| GuestState { instance_id: guest.instance_id, epoch: guest.epoch, power: guest.power })
            .collect();
        let hello = Hello {
            protocol: VERSION,
            host: host.name.clone(),
            boot_id: "boot".to_owned(),
            resources: resources(),
            guests,
            ceph_clients: Vec::new(),
            configured_ceph_client: None,
            standing: cuttle_compute_protocol::Standing { crush_location: None, localizes_reads: true },
            sent_at: None,
        };
        // Ceph may not answer it yet; an agent dials until somebody does.
        let welcome = loop {
            match hosts::hello(&control, &host, hello.clone()).await {
                Ok(welcome) => break welcome,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let secret = CephSecret::new(welcome.ceph.fsid, &welcome.identity.unwrap()).unwrap();
        context.storage.set(Reach { ceph: welcome.ceph, access: CephAccess::Own(secret) });
        welcome.disowned.into_iter().for_each(|instance| self.guests.disown(instance));
        let commands = async {
            // It ends where events were lost, as there is no certificate here; an agent dials again.
            loop {
                let mut commands = Box::pin(hosts::commands(&control, host.id, [0; 32]));
                while let Some(command) = commands.next().await {
                    self.guests.command(command);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let reports = async {
            loop {
                for (number, report) in context.outbox.reports(100, nobody) {
                    match hosts::report(&control, &host, &report).await {
                        Ok(()) => context.outbox.report_taken(number),
                        Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                }
                context.outbox.wait_for_report().await;
            }
        };
        let news = async {
            loop {
                let news = context.outbox.guests();
                let states = news.iter().map(|entry| entry.1.clone()).collect();
                if hosts::guests_changed(&control, &host, states).await.is_ok() {
                    context.outbox.guests_taken(&news);
                }
                context.outbox.wait_for_guest().await;
            }
        };
        let _: ((), (), ()) = tokio::join!(commands, reports, news);
    }
}

fn nobody(_: u64) -> bool {
    false
}

pub fn resources() -> HostResources {
    HostResources {
        vcpus: 4,
        ram_mib: 4096,
        reserved_ram_mib: 0,
        cpu_ratio_milli: 1000,
        ram_ratio_milli: 1000,
        virt_type: VirtType::Qemu,
        libvirt_version: String::new(),
        hypervisor_version: String::new(),
        architecture: "x86_64".into(),
        agent: Default::default(),
    }
}

//! The agent as a whole: what is started, in which order, and how it ends.
//!
//! Order matters: a host that has not joined, and cannot, says so at once. libvirt answers before anything is said to the control plane (a hello without the
//! guests that run would be a lie), and what runs is known before the first event is looked at, so that
//! adopting a guest is no news. At the end guests live on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use cuttle_model::clock::Clock;
use cuttle_model::host::VirtType;
use tokio_util::sync::CancellationToken;

use crate::actions::hold_secret;
use crate::config::Config;
use crate::control::{self, Dialer, Introduction, Outbox};
use crate::domain_xml::MachineSettings;
use crate::epochs::Epochs;
use crate::guest::{Context, Guests, Known, Storage};
use crate::hypervisor::{Event, Events, Guest, Hypervisor, HypervisorError};
use crate::join::{JoinError, Joiner};
use crate::librbd_conf::LibrbdConf;
use crate::libvirt::{Deadlines, Libvirt};
use crate::news::News;
use crate::probe::{self, ProbeError};
use crate::state_dir::StateDir;
use crate::storage_health::{self, Health};

/// Before something is tried again that libvirt did not do.
const AGAIN: Duration = Duration::from_secs(2);
/// How long the work in hand may take when the agent is told to stop.
const SETTLE: Duration = Duration::from_secs(5);
/// Between two presses of a guest's power button.
const PRESS_INTERVAL: Duration = Duration::from_secs(10);
/// How often old tombstones are looked for.
const PURGE_INTERVAL: Duration = Duration::from_secs(86_400);

/// Why the agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot use the state directory {path}: {source}")]
    StateDir { path: String, source: io::Error },
    #[error("cannot read which run of the kernel this is from {path}: {source}")]
    BootId { path: String, source: io::Error },
    #[error(transparent)]
    Join(#[from] JoinError),
    #[error("cannot start the thread that watches libvirt: {0}")]
    Watch(io::Error),
    #[error(transparent)]
    Probe(#[from] ProbeError),
}

/// Runs the agent until `stop`.
pub async fn run(config: Config, clock: Arc<dyn Clock>, stop: CancellationToken) -> Result<(), StartError> {
    let boot_id = read_boot_id(&config)?;
    let state = StateDir::open(&config.state_dir)
        .map_err(|source| StartError::StateDir { path: config.state_dir.display().to_string(), source })?;
    let dialer = Dialer { identity: state.identity(), timeout: Duration::from_secs(config.limits.request_timeout_seconds) };
    let joiner = Joiner {
        host: &config.host,
        control: &config.control,
        token_file: config.token_file.clone(),
        state: &state,
        timeout: dialer.timeout,
        clock: &*clock,
    };
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        joined = joiner.obtain() => joined?,
    };
    let (libvirt, events) = Libvirt::new(&config.libvirt_uri, deadlines(&config)).map_err(StartError::Watch)?;

    let prepared = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        prepared = prepare(&config, &libvirt, &state, &boot_id) => prepared?,
    };
    let (virt_type, adopted) = prepared;
    let context = Arc::new(Context {
        hypervisor: Arc::new(libvirt),
        epochs: Epochs::new(state.clone()),
        state,
        clock: Arc::clone(&clock),
        machine: machine(&config, virt_type),
        storage: Storage::default(),
        known: Known::default(),
        outbox: Arc::new(Outbox::default()),
        librbd_conf: LibrbdConf::new(config.storage.localize_reads.then(|| config.storage.librbd_conf.clone())),
        health: Health::default(),
        news: News::new(Arc::clone(&clock)),
        console_max_bytes: config.limits.console_max_bytes,
        press_interval: PRESS_INTERVAL,
    });
    for guest in &adopted {
        tracing::info!(instance = %guest.instance_id, epoch = %guest.epoch, power = guest.power.as_str(), "adopted a guest");
        context.known.set(guest.instance_id, guest.epoch, guest.power);
    }
    let guests = Guests::new(Arc::clone(&context));
    let introduction = Arc::new(Introduction {
        host: config.host.clone(),
        boot_id,
        virt_type,
        resources: config.resources.clone(),
        configured_ceph: config.configured_ceph(),
        storage: config.storage.clone(),
    });
    let look_interval = Duration::from_secs(config.limits.look_interval_seconds);
    tokio::select! {
        () = control::run(&dialer, &config.control, &guests, &introduction, &stop) => {}
        () = watch(&guests, events, look_interval) => tracing::error!("libvirt's events ended"),
        () = purge(&context, config.limits.tombstone_age()) => {}
        () = storage_health::run(&config.host, &context.health, &clock, &context.news) => {}
    }
    tracing::info!("stopping; the guests live on");
    guests.settle(SETTLE).await;
    Ok(())
}

/// Waits for libvirt, finds out what guests run on, and which run already.
async fn prepare(
    config: &Config,
    libvirt: &Libvirt,
    state: &StateDir,
    boot_id: &str,
) -> Result<(VirtType, Vec<Guest>), StartError> {
    let node = until_answered(|| libvirt.node()).await;
    tracing::info!(vcpus = node.vcpus, ram_mib = node.ram_mib, libvirt = node.libvirt_version,
        hypervisor = node.hypervisor_version, storage_address = ?config.storage_address, "libvirt answers");
    let virt_type = match config.virt_type.forced() {
        Some(forced) => forced,
        None => {
            let timeout = Duration::from_secs(config.limits.probe_timeout_seconds);
            let settings = machine(config, VirtType::Kvm);
            probe::find(libvirt, state, &node, boot_id, &settings, timeout).await?.virt_type
        }
    };
    let guests = until_answered(|| libvirt.guests()).await;
    Ok((virt_type, guests))
}

async fn until_answered<T, F: Future<Output = Result<T, HypervisorError>>>(ask: impl Fn() -> F) -> T {
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => tracing::warn!(%error, "libvirt does not answer yet"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Follows libvirt's events, and looks at everything now and then: an event may be missed.
async fn watch(guests: &Guests, mut events: Events, look_interval: Duration) {
    let mut ticks = tokio::time::interval(look_interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(Event::Changed { instance_id, ended }) => guests.look(instance_id, ended),
                Some(Event::Connected) => {
                    reassert_secret(guests.context()).await;
                    look_at_all(guests).await;
                }
                Some(Event::SecretRemoved(uuid)) => hold_secret::after_change(guests.context(), uuid, false).await,
                Some(Event::SecretChanged(uuid)) => hold_secret::after_change(guests.context(), uuid, true).await,
                None => return,
            },
            _ = ticks.tick() => look_at_all(guests).await,
        }
    }
}

async fn look_at_all(guests: &Guests) {
    let context = guests.context();
    match context.hypervisor.guests().await {
        Ok(found) => context.known.differing(&found).into_iter().for_each(|instance| guests.look(instance, None)),
        Err(error) => tracing::warn!(%error, "cannot look at the guests"),
    }
}

/// A libvirtd that was restarted has forgotten its ephemeral secrets.
async fn reassert_secret(context: &Context) {
    if let Some(reach) = context.storage.get()
        && let Err(error) = hold_secret::run(context, &reach.access).await
    {
        tracing::warn!(%error, "cannot assert libvirt's secret yet");
    }
}

async fn purge(context: &Arc<Context>, age: Duration) {
    let mut ticks = tokio::time::interval(PURGE_INTERVAL);
    loop {
        ticks.tick().await;
        let context = Arc::clone(context);
        let purged = tokio::task::spawn_blocking(move || context.epochs.purge(context.clock.now(), age)).await;
        match purged {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(count)) => tracing::info!(count, "removed what was kept of instances deleted long ago"),
            Ok(Err(error)) => tracing::warn!(%error, "cannot remove what is kept of instances deleted long ago"),
        }
    }
}

fn machine(config: &Config, virt_type: VirtType) -> MachineSettings {
    MachineSettings { virt_type, cpu_model: config.cpu_model, vnc_listen: config.vnc_listen.to_string() }
}

fn deadlines(config: &Config) -> Deadlines {
    Deadlines {
        call: Duration::from_secs(config.limits.call_timeout_seconds),
        create: Duration::from_secs(config.limits.create_timeout_seconds),
        destroy: Duration::from_secs(config.limits.destroy_timeout_seconds),
    }
}

fn read_boot_id(config: &Config) -> Result<String, StartError> {
    let failed = |source| StartError::BootId { path: config.boot_id_file.display().to_string(), source };
    let text = std::fs::read_to_string(&config.boot_id_file).map_err(failed)?;
    match text.trim() {
        "" => Err(failed(io::Error::other("it is empty"))),
        boot_id => Ok(boot_id.to_owned()),
    }
}

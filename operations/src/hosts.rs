//! Hosts: what their agents say. How they join is in [`crate::join`],
//! their Ceph identities are in [`crate::host_keys`].
//!
//! Facts are reconciled here: what an agent says of its guests is compared with what is intended, and
//! the row follows the world. An agent's word counts for the epoch that it names and for no other.

use cuttle_compute_protocol::{
    Beat, CephConnection, Command, GuestState, Hello, MeasuredPool, Measuring, MonitorAddress, Outcome, PoolAccess, Report,
    VERSION, Welcome,
};
use cuttle_database::{Event, InstanceQuery, ReportStored, Written};
use cuttle_model::crush::CrushLocation;
use cuttle_model::host::Host;
use cuttle_model::host_event::{HostEvent, HostEventKind};
use cuttle_model::ids::{CommandId, HostId, InstanceId};
use cuttle_model::instance::{Instance, InstanceState, PowerState, StateName};
use cuttle_model::storage_health::{PoolHealth, StorageHealth};
use futures::Stream;
use tokio::sync::broadcast::error::RecvError;

use crate::{Control, HostError, host_keys, host_numbers};

/// Events that are taken with one beat.
const EVENTS_IN_A_BEAT: usize = 16;
/// Pools of which a host may tell.
const POOLS_IN_A_REPORT: usize = 16;
/// The longest text of one, in bytes.
const LONGEST_EVENT: usize = 1000;

/// An agent has connected: gives it its Ceph identity, and compares its guests with what is intended.
pub async fn hello(control: &Control, host: &Host, hello: Hello) -> Result<Welcome, HostError> {
    if hello.protocol != VERSION {
        return Err(HostError::Protocol { theirs: hello.protocol, ours: VERSION });
    }
    if hello.host != host.name {
        return Err(HostError::WrongHost { certified: host.name.clone(), claimed: hello.host });
    }
    let configured = hello.configured_ceph_client.as_deref();
    control.database().set_shared_ceph_client(host.id, configured).await?;
    host_keys::retire(control, host, &hello.ceph_clients).await?;
    let identity = match configured {
        None => Some(host_keys::present(control, host).await?),
        Some(client) => {
            tracing::info!(host = %host.name, client, "the host uses the Ceph client that its configuration names");
            None
        }
    };
    let ceph = ceph_connection(control).await?;
    let disowned = disowned(control, host, &hello.guests).await?;
    note_missing(control, host, &hello.guests).await?;
    guests_changed(control, host, hello.guests).await?;
    let now = control.now();
    let mut resources = hello.resources;
    resources.agent.clock_ahead_ms = host_numbers::ahead_ms(hello.sent_at, now);
    control.database().record_hello(host.id, &hello.boot_id, &resources, now).await?;
    let standing = &hello.standing;
    control.database().record_standing(host.id, standing.crush_location.as_ref(), standing.localizes_reads).await?;
    tracing::info!(host = %host.name, disowned = disowned.len(), "the agent has connected");
    let beat_interval_ms = control.settings().beat_interval_ms;
    let crush_location = control.locality().known().place(&host.name, standing);
    let measuring = measuring(control);
    Ok(Welcome { host_id: host.id, ceph, identity, beat_interval_ms, disowned, crush_location, measuring })
}

/// The pools that hosts use, as far as their rights go.
fn measuring(control: &Control) -> Measuring {
    let settings = control.settings();
    let pool = |pool: &String, access| MeasuredPool { pool: pool.clone(), access };
    let pools = vec![
        pool(&settings.vms_pool, PoolAccess::ReadWrite),
        pool(&settings.volumes_pool, PoolAccess::ReadWrite),
        pool(&settings.images_pool, PoolAccess::Read),
    ];
    Measuring { pools, limits: settings.storage_health }
}

/// An agent lives, and tells what has happened. That it lives is kept in memory, and stored once a second
/// for all hosts together. Answers whether it is to say hello.
pub async fn beat(control: &Control, host: &Host, beat: &Beat) -> Result<bool, HostError> {
    let now = control.now();
    control.beats().note(host.id, now, beat.storage.clone().filter(is_sensible));
    host_numbers::show(host, beat, now);
    host_numbers::note_clock(control, host, beat, now).await?;
    for event in beat.events.iter().filter(|event| is_a_hosts_to_tell(event)).take(EVENTS_IN_A_BEAT) {
        control.database().insert_host_event(host.id, event).await?;
        metrics::counter!("cuttle_host_events_total", "kind" => event.kind.as_str()).increment(1);
        tracing::warn!(host = %host.name, kind = event.kind.as_str(), at = event.at.to_micros_z(), "{}", event.message);
    }
    // A host of which nothing is known yet has never been welcomed; one whose key was rotated is to get it.
    let outdated = beat.ceph_client.as_ref().is_some_and(|client| is_ours(host, client) && *client != host.ceph_client());
    Ok(host.resources.is_none() || outdated || control.keyring().is_to_greet(host.id))
}

/// What an agent may tell of its host. The rest is the control plane's own to say.
fn is_a_hosts_to_tell(event: &HostEvent) -> bool {
    use HostEventKind::{SecretHealed, SecretUnusable, StorageBroken, StorageGood, StorageSlow};
    let kind = matches!(event.kind, SecretHealed | SecretUnusable | StorageGood | StorageSlow | StorageBroken);
    kind && event.message.len() <= LONGEST_EVENT
}

/// What an agent says is kept as it is, within these bounds.
fn is_sensible(health: &StorageHealth) -> bool {
    let short =
        |pool: &PoolHealth| pool.pool.len() <= 128 && pool.problem.as_ref().is_none_or(|text| text.len() <= LONGEST_EVENT);
    health.quality <= 1000 && health.pools.len() <= POOLS_IN_A_REPORT && health.pools.iter().all(short)
}

/// Whether this is one of the host's own Ceph clients, of whatever generation.
fn is_ours(host: &Host, client: &str) -> bool {
    let generation = client.strip_prefix(&format!("client.cuttle.{}.", host.name));
    generation.is_some_and(|generation| generation.parse::<i64>().is_ok())
}

/// Where the host stands in CRUSH, as far as it is known.
pub fn crush_location(control: &Control, host: &Host) -> Option<CrushLocation> {
    control.locality().known().location(host.id)
}

/// Where the Ceph cluster is. Every agent asks with each beat, so it is asked of Ceph only now and then.
pub async fn ceph_connection(control: &Control) -> Result<CephConnection, HostError> {
    match control.ceph_connection() {
        Some(known) => Ok(known),
        None => read_ceph_connection(control).await,
    }
}

/// Asks Ceph where its monitors are now.
pub(crate) async fn read_ceph_connection(control: &Control) -> Result<CephConnection, HostError> {
    let ceph = control.ceph();
    let monitors = ceph.monitors().await?;
    let monitors = monitors.into_iter().map(|monitor| MonitorAddress { host: monitor.host, port: monitor.port }).collect();
    let connection = CephConnection { fsid: ceph.fsid(), monitors };
    control.set_ceph_connection(connection.clone());
    Ok(connection)
}

/// Guests have changed by themselves, or are as they are found at a hello.
pub async fn guests_changed(control: &Control, host: &Host, guests: Vec<GuestState>) -> Result<(), HostError> {
    for guest in guests {
        change_row(control, guest.instance_id, |instance| {
            let of_now = instance.host_id == Some(host.id) && instance.epoch == guest.epoch;
            // Whoever works on the instance reads the world itself.
            let settled = instance.task.is_none() && instance.state.has_guest();
            (of_now && settled && instance.power != guest.power).then(|| follow(instance, guest.power))
        })
        .await?;
    }
    Ok(())
}

/// What an agent reports of a command.
pub async fn report(control: &Control, host: &Host, report: &Report) -> Result<(), HostError> {
    match control.database().store_report(host.id, report, control.now()).await? {
        ReportStored::Stored | ReportStored::Known => note_gone(control, host, report).await?,
        // A command that was purged, or never this host's. The agent need not repeat itself.
        ReportStored::NoSuchCommand => {
            tracing::warn!(host = %host.name, command = %report.command_id, "a report of an unknown command");
        }
    }
    Ok(())
}

/// A guest whose end is reported is gone, also where nobody waited for that report any more. Whoever does wait works on
/// the instance, and changes its row itself.
async fn note_gone(control: &Control, host: &Host, report: &Report) -> Result<(), HostError> {
    match report.outcome {
        Outcome::Gone => {
            let gone = GuestState { instance_id: report.instance_id, epoch: report.epoch, power: PowerState::Shutdown };
            guests_changed(control, host, vec![gone]).await
        }
        _ => Ok(()),
    }
}

/// The commands for a host: those that wait, then each new one as it is stored. One is delivered again
/// only on another connection. It ends when the certificate that the agent shows is honoured no more.
pub fn commands(
    control: &Control,
    host: HostId,
    certificate_sha256: [u8; 32],
) -> impl Stream<Item = Command> + Send + 'static + use<> {
    let (database, control) = (control.database().clone(), control.clone());
    let (sender, receiver) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move {
        let mut events = database.events();
        let mut sent: std::collections::HashSet<CommandId> = std::collections::HashSet::new();
        loop {
            match database.pending_commands(host).await {
                Ok(pending) => {
                    sent.retain(|id| pending.iter().any(|command| command.id == *id));
                    for command in pending {
                        if sent.insert(command.id) && sender.send(command).await.is_err() {
                            return;
                        }
                    }
                }
                // The agent connects again, and is told then.
                Err(error) => return tracing::warn!(%host, %error, "commands could not be read"),
            }
            loop {
                let event = tokio::select! {
                    event = events.recv() => event,
                    () = sender.closed() => return,
                };
                match event {
                    Ok(Event::Command(for_host)) if for_host == host => break,
                    Ok(Event::Host(changed)) if changed != host => {}
                    Ok(Event::Host(_) | Event::Resync) | Err(RecvError::Lagged(_)) => {
                        match database.authenticate_host(&certificate_sha256, control.now()).await {
                            Ok(Some(_)) => break,
                            Ok(None) => return tracing::info!(%host, "the host's certificate is void: its commands end"),
                            Err(error) => return tracing::warn!(%host, %error, "the host's certificate could not be looked at"),
                        }
                    }
                    Ok(_) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        }
    });
    futures::stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|command| (command, receiver)) })
}

/// The guests that the host must not have: of instances that were deleted or are elsewhere. One whose
/// instance nobody knows stays: nobody guesses.
async fn disowned(control: &Control, host: &Host, guests: &[GuestState]) -> Result<Vec<InstanceId>, HostError> {
    let mut disowned = Vec::new();
    for guest in guests {
        match control.database().get_instance(guest.instance_id).await? {
            None => tracing::warn!(host = %host.name, instance = %guest.instance_id, "a guest of an instance that nobody knows"),
            Some(instance) if instance.state == InstanceState::Deleted => disowned.push(guest.instance_id),
            Some(instance) if instance.host_id != Some(host.id) && instance.epoch > guest.epoch => {
                disowned.push(guest.instance_id)
            }
            Some(_) => {}
        }
    }
    Ok(disowned)
}

/// Instances that are meant to have a guest on a host which has none of them: it was restarted, or their
/// process was killed while the agent was away.
async fn note_missing(control: &Control, host: &Host, guests: &[GuestState]) -> Result<(), HostError> {
    let states = vec![StateName::Active, StateName::Paused, StateName::Resized];
    let query = InstanceQuery { host: Some(host.id), states, ..InstanceQuery::default() };
    for instance in control.database().list_instances(&query).await? {
        if guests.iter().any(|guest| guest.instance_id == instance.id) {
            continue;
        }
        let seen = instance.epoch;
        change_row(control, instance.id, |instance| {
            let settled = instance.task.is_none() && instance.state.has_guest();
            let of_now = instance.host_id == Some(host.id) && instance.epoch == seen;
            let known = instance.power == PowerState::Shutdown && instance.state != InstanceState::Active;
            (settled && of_now && !known).then(|| follow(instance, PowerState::Shutdown))
        })
        .await?;
    }
    Ok(())
}

/// The row as it must be when the guest is in this power state. A guest without a process is a stopped
/// instance, whoever stopped it; one that was resized still waits to be confirmed.
fn follow(instance: Instance, power: PowerState) -> Instance {
    let state = match (power, instance.state) {
        (_, state @ InstanceState::Resized { .. }) => state,
        (PowerState::Shutdown | PowerState::Crashed, _) => InstanceState::Stopped,
        (PowerState::Running | PowerState::Paused | PowerState::Unknown, state) => state,
    };
    Instance { state, power, ..instance }
}

/// Changes a row until the change meets no other, or there is nothing to change.
async fn change_row(control: &Control, id: InstanceId, change: impl Fn(Instance) -> Option<Instance>) -> Result<(), HostError> {
    while let Some(instance) = control.database().get_instance(id).await? {
        let Some(mut changed) = change(instance) else { return Ok(()) };
        changed.updated_at = control.now();
        let (state, power) = (changed.state.name().as_str(), changed.power.as_str());
        match control.database().update_instance(&changed, None).await? {
            Written::Stale => {}
            Written::Done | Written::LeaseLost => {
                tracing::info!(instance = %id, state, power, "the instance follows its guest");
                return Ok(());
            }
        }
    }
    Ok(())
}

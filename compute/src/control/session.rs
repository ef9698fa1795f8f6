//! One session: hello, and then beats, commands, reports and guests at the same time, until one fails.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use cuttle_compute_protocol::{self as protocol, Beat, BeatAnswer, Command, Hello, Outcome, Report, Standing, Welcome, path};
use cuttle_model::crush::CrushLocation;
use cuttle_model::host::{AgentFacts, HostName, HostResources, VirtType};
use cuttle_model::ids::{CommandId, Epoch, InstanceId};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

use super::backoff::Backoff;
use super::dial::{Link, LinkError};
use super::lines::{Lines, TooLong};
use super::renewal::Renewal;
use crate::actions::hold_secret;
use crate::config::{ResourcesConfig, StorageConfig};
use crate::guest::{Context, Guests, context::Reach};
use crate::hypervisor::{Guest, Hypervisor, HypervisorError};
use crate::secret::{BadKey, CephAccess, CephSecret};
use crate::storage_health::{Credentials, Key, Wanted};

/// Reports that are on their way at once.
const REPORTS_AT_ONCE: usize = 16;
/// Events that go with one beat.
const NEWS_AT_ONCE: usize = 16;
/// Beats that may go unanswered before the connection is given up.
const BEATS_LOST: u32 = 3;
/// How long the stream of commands may be silent. The control plane sends an empty line every few seconds.
const SILENCE: Duration = Duration::from_secs(30);
/// Before something that was not taken is sent again.
const AGAIN: Duration = Duration::from_secs(1);

/// What the agent says of itself, besides its guests.
#[derive(Debug)]
pub struct Introduction {
    pub host: HostName,
    pub boot_id: String,
    pub virt_type: VirtType,
    pub resources: ResourcesConfig,
    /// The Ceph client that the configuration names in the place of the host's own.
    pub configured_ceph: Option<CephAccess>,
    /// Where the host stands, and how storage is measured where the configuration names the client.
    pub storage: StorageConfig,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionEnd {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("cannot say hello, since the guests cannot be listed: {0}")]
    Hypervisor(#[from] HypervisorError),
    #[error(transparent)]
    Key(#[from] BadKey),
    #[error("the control plane gave this host no Ceph identity")]
    NoIdentity,
    #[error("the stream of commands ended")]
    CommandsEnded,
    #[error("nothing came on the stream of commands for {} s", SILENCE.as_secs())]
    CommandsSilent,
    #[error("the stream of commands broke off: {0}")]
    CommandsBroke(#[from] hyper::Error),
    #[error(transparent)]
    Line(#[from] TooLong),
    #[error("{lost} beats in a row were not answered, the last: {last}")]
    BeatsLost { lost: u32, last: LinkError },
}

impl SessionEnd {
    /// The control plane does not honour the host's certificate.
    pub fn is_lockout(&self) -> bool {
        let (Self::Link(error) | Self::BeatsLost { last: error, .. }) = self else { return false };
        matches!(error, LinkError::Status { status, .. } if matches!(status.as_u16(), 401 | 403))
    }
}

/// Why the parts of a session stopped.
enum Turn {
    /// The control plane wants to be greeted again.
    HelloAgain,
    /// The host has its next certificate.
    Renewed,
}

/// A session over one connection.
pub struct Session {
    link: Link,
    renewal: Renewal,
    guests: Guests,
    introduction: Arc<Introduction>,
}

impl Session {
    /// Nothing is said yet.
    pub fn new(link: Link, renewal: Renewal, guests: Guests, introduction: Arc<Introduction>) -> Self {
        Self { link, renewal, guests, introduction }
    }

    /// Talks until something fails, or until the host has another certificate, which another connection shows.
    pub async fn run(&self, backoff: &mut Backoff) -> Result<(), SessionEnd> {
        loop {
            let welcome = self.hello().await?;
            backoff.reset();
            let interval = Duration::from_millis(welcome.beat_interval_ms.clamp(100, 60_000));
            let turn = tokio::select! {
                turn = self.beats(interval) => turn?,
                end = self.commands() => return end,
                end = self.reports() => return end,
                end = self.guests() => return end,
            };
            match turn {
                Turn::HelloAgain => tracing::info!("the control plane asks to be greeted again"),
                Turn::Renewed => return Ok(()),
            }
        }
    }

    async fn hello(&self) -> Result<Welcome, SessionEnd> {
        let context = self.guests.context();
        let found = context.hypervisor.guests().await?;
        let in_use = context.hypervisor.ceph_clients().await?;
        let configured = self.introduction.configured_ceph.as_ref();
        let hello = Hello {
            protocol: protocol::VERSION,
            host: self.introduction.host.clone(),
            boot_id: self.introduction.boot_id.clone(),
            resources: resources(&*context.hypervisor, &self.introduction).await?,
            guests: found.iter().map(state).collect(),
            ceph_clients: in_use.iter().cloned().chain(context.storage.ceph_clients()).collect(),
            configured_ceph_client: configured.map(|access| access.client().to_owned()),
            standing: Standing {
                crush_location: self.introduction.storage.crush_location.clone(),
                localizes_reads: self.introduction.storage.localize_reads,
            },
            sent_at: Some(context.clock.now()),
        };
        let welcome: Welcome = self.link.post(path::HELLO, &hello).await?;
        let access = match (configured, &welcome.identity) {
            (Some(configured), _) => configured.clone(),
            (None, Some(identity)) => CephAccess::Own(CephSecret::new(welcome.ceph.fsid, identity)?),
            (None, None) => return Err(SessionEnd::NoIdentity),
        };
        tracing::info!(host_id = %welcome.host_id, client = access.client(), monitors = welcome.ceph.monitors.len(),
            guests = found.len(), disowned = welcome.disowned.len(), "welcomed by the control plane");
        context.storage.set(Reach { ceph: welcome.ceph.clone(), access: access.clone() });
        stand(context, welcome.crush_location.as_ref());
        context.health.greeted();
        context.health.want(self.measuring(&welcome));
        if let Err(error) = hold_secret::run(context, &access).await {
            // It is tried again before each start of a guest.
            tracing::warn!(%error, "libvirt's secret cannot be used yet");
        }
        // Those of clients that nobody here uses any more.
        let in_use = in_use.into_iter().chain(context.storage.ceph_clients());
        let kept: Vec<Uuid> = in_use.map(|client| protocol::secret_uuid(welcome.ceph.fsid, &client)).collect();
        if let Err(error) = context.hypervisor.forget_secrets_but(&kept).await {
            tracing::warn!(%error, "older secrets cannot be forgotten yet");
        }
        for instance in &welcome.disowned {
            self.guests.disown(*instance);
        }
        Ok(welcome)
    }

    /// What is to be measured, as whom; `None` where the configured client's key is not known.
    fn measuring(&self, welcome: &Welcome) -> Option<Wanted> {
        let configured = self.introduction.configured_ceph.as_ref();
        let (client, key) = match (configured, &welcome.identity) {
            (Some(configured), _) => (configured.client(), Key::Keyring(self.introduction.storage.keyring.clone()?)),
            (None, identity) => {
                let identity = identity.as_ref()?;
                (identity.client.as_str(), Key::Given(identity.key.trim().to_owned().into()))
            }
        };
        let credentials = Credentials { client: client.to_owned(), monitors: welcome.ceph.monitors.clone(), key };
        Some(Wanted { credentials, measuring: welcome.measuring.clone() })
    }

    async fn beats(&self, interval: Duration) -> Result<Turn, SessionEnd> {
        let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let context = self.guests.context();
        let mut lost = 0;
        for sequence in 1.. {
            ticks.tick().await;
            if self.renewal.is_due(context.clock.now()) && self.renewal.run(&self.link, context.clock.now()).await {
                return Ok(Turn::Renewed);
            }
            let libvirt_ms = u64::try_from(context.hypervisor.last_call().as_millis()).unwrap_or(u64::MAX);
            let ceph_client = context.storage.get().map(|reach| reach.access.client().to_owned());
            let events = context.news.oldest(NEWS_AT_ONCE);
            let storage = context.health.news();
            let (sent_at, numbers) = (Some(context.clock.now()), self.guests.numbers());
            let beat = Beat { sequence, libvirt_ms, ceph_client, events, storage, sent_at, numbers };
            match self.link.post::<_, BeatAnswer>(path::BEAT, &beat).await {
                Ok(answer) => {
                    lost = 0;
                    context.news.taken(&beat.events);
                    if let Some(storage) = beat.storage {
                        context.health.taken(storage);
                    }
                    follow(context, &answer);
                    if answer.say_hello {
                        return Ok(Turn::HelloAgain);
                    }
                }
                Err(last) => {
                    lost += 1;
                    tracing::debug!(sequence, lost, error = %last, "a beat was not answered");
                    if lost >= BEATS_LOST || is_final(&last) {
                        return Err(SessionEnd::BeatsLost { lost, last });
                    }
                }
            }
        }
        Ok(Turn::HelloAgain)
    }

    async fn commands(&self) -> Result<(), SessionEnd> {
        let mut body = self.link.stream(path::COMMANDS).await?;
        let mut lines = Lines::default();
        loop {
            let frame = tokio::time::timeout(SILENCE, body.frame()).await.map_err(|_| SessionEnd::CommandsSilent)?;
            let Some(frame) = frame else {
                return Err(SessionEnd::CommandsEnded);
            };
            if let Some(piece) = frame?.data_ref() {
                lines.push(piece);
            }
            while let Some(line) = lines.next()? {
                self.command(&line);
            }
        }
    }

    fn command(&self, line: &[u8]) {
        let error = match serde_json::from_slice::<Command>(line) {
            Ok(command) => return self.guests.command(command),
            Err(error) => error,
        };
        tracing::error!(%error, "a command is not understood");
        // Whoever sent it should not wait in vain.
        if let Ok(envelope) = serde_json::from_slice::<Envelope>(line) {
            let message = format!("the agent does not understand the command: {error}");
            self.guests.context().outbox.report(Report {
                command_id: envelope.id,
                instance_id: envelope.instance_id,
                epoch: envelope.epoch,
                outcome: Outcome::Failed { message, retry: false },
            });
        }
    }

    async fn reports(&self) -> Result<(), SessionEnd> {
        let outbox = &self.guests.context().outbox;
        let mut on_their_way = HashSet::new();
        let mut sending = FuturesUnordered::new();
        loop {
            let room = REPORTS_AT_ONCE.saturating_sub(on_their_way.len());
            for (number, report) in outbox.reports(room, |number| on_their_way.contains(&number)) {
                on_their_way.insert(number);
                sending.push(async move { (number, self.report(&report).await) });
            }
            tokio::select! {
                () = outbox.wait_for_report() => {}
                Some((number, sent)) = sending.next() => {
                    on_their_way.remove(&number);
                    match sent? {
                        Sent::Taken => outbox.report_taken(number),
                        Sent::NotNow => {}
                        Sent::Wrong => {
                            if outbox.report_refused(number) {
                                tracing::error!("a report was refused again and again and is given up");
                            }
                        }
                    }
                }
            }
        }
    }

    async fn report(&self, report: &Report) -> Result<Sent, SessionEnd> {
        match self.link.post::<_, serde::de::IgnoredAny>(path::REPORTS, report).await {
            Ok(_) => Ok(Sent::Taken),
            Err(error) => self.not_sent(error).await,
        }
    }

    async fn guests(&self) -> Result<(), SessionEnd> {
        let outbox = &self.guests.context().outbox;
        loop {
            let numbered = outbox.guests();
            if numbered.is_empty() {
                outbox.wait_for_guest().await;
                continue;
            }
            let states: Vec<_> = numbered.iter().map(|(_, state)| state).collect();
            match self.link.post::<_, serde::de::IgnoredAny>(path::GUESTS, &states).await {
                Ok(_) => outbox.guests_taken(&numbered),
                Err(error) => {
                    self.not_sent(error).await?;
                }
            }
        }
    }

    /// Something was answered, but not taken: it is sent again after a while. Anything else ends the session.
    async fn not_sent(&self, error: LinkError) -> Result<Sent, SessionEnd> {
        match &error {
            // An answer that is not understood came after the message was taken.
            LinkError::Answer { .. } => return Ok(Sent::Taken),
            LinkError::Status { .. } if !is_final(&error) => {}
            _ => return Err(error.into()),
        }
        tracing::warn!(%error, "the control plane did not take a message");
        tokio::time::sleep(AGAIN).await;
        match error {
            LinkError::Status { status, .. } if status.is_client_error() => Ok(Sent::Wrong),
            _ => Ok(Sent::NotNow),
        }
    }
}

/// What became of a report.
enum Sent {
    Taken,
    NotNow,
    Wrong,
}

/// The least that must be understood of a command to answer it.
#[derive(Deserialize)]
struct Envelope {
    id: CommandId,
    instance_id: InstanceId,
    epoch: Epoch,
}

/// The control plane does not want this host, or the connection is gone.
fn is_final(error: &LinkError) -> bool {
    match error {
        LinkError::Status { status, .. } => matches!(status.as_u16(), 401 | 403),
        LinkError::Exchange { .. } => true,
        _ => false,
    }
}

fn follow(context: &Context, answer: &BeatAnswer) {
    context.storage.set_ceph(answer.ceph.clone());
    context.health.moved(&answer.ceph.monitors);
    stand(context, answer.crush_location.as_ref());
}

/// The control plane knows where the host stands. Where it does not, what was known before is still the best.
fn stand(context: &Context, location: Option<&CrushLocation>) {
    if let Some(location) = location {
        context.librbd_conf.follow(location);
        context.health.stands(location);
    }
}

fn state(guest: &Guest) -> protocol::GuestState {
    protocol::GuestState { instance_id: guest.instance_id, epoch: guest.epoch, power: guest.power }
}

async fn resources(hypervisor: &dyn Hypervisor, introduction: &Introduction) -> Result<HostResources, HypervisorError> {
    let node = hypervisor.node().await?;
    let config = &introduction.resources;
    Ok(HostResources {
        vcpus: node.vcpus,
        ram_mib: node.ram_mib,
        reserved_ram_mib: config.reserved_ram_mib,
        cpu_ratio_milli: milli(config.cpu_ratio),
        ram_ratio_milli: milli(config.ram_ratio),
        virt_type: introduction.virt_type,
        libvirt_version: node.libvirt_version,
        hypervisor_version: node.hypervisor_version,
        architecture: node.architecture,
        agent: AgentFacts { version: env!("CARGO_PKG_VERSION").to_owned(), clock_ahead_ms: 0 },
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the configuration allows 0.01 to 1000")]
fn milli(ratio: f64) -> u32 {
    (ratio * 1000.0).round() as u32
}

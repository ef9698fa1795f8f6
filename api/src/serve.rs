//! `cuttle-api serve`: connects to the database and to Ceph, and answers on both listeners until it is
//! told to stop.
//!
//! Stopping is orderly: no new connections, requests at work are finished, then the engine gives its
//! leases back. Whatever is cut off all the same goes on at another control node.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use cuttle_database::{Database, Options};
use cuttle_model::clock::{Clock, SystemClock};
use cuttle_model::ids::{Ids, RandomIds};
use cuttle_operations::{Control, JoinError, Parts};
use cuttle_rbd_backend::{Cluster, ClusterAddress, ClusterConfig, KeySource, Limits};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::agents::peer::PeerAcceptor;
use crate::agents::tls::{self, TlsError};
use crate::authority::{Authority, AuthorityError};
use crate::config::{self, Config};
use crate::identity::passwords::Passwords;
use crate::init::admin::read_password;
use crate::shared::{self, Controlled, Shared};
use crate::{agents, listener, observability, public};

/// How long requests at work may take once we are told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long the head of a request may take.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// How often memory that was freed is given back: so long after a crowd of requests it is the system's again.
const HEAP_RETURN: Duration = Duration::from_secs(20);
/// How often expired tokens are removed.
const TOKEN_PURGE: Duration = Duration::from_secs(600);

/// Why the process cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the database {0} cannot be opened")]
    Database(&'static str, #[source] cuttle_database::Error),
    #[error("the database's password in {path} cannot be read")]
    DatabasePassword {
        path: PathBuf,
        #[source]
        source: Box<crate::init::InitError>,
    },
    #[error("Ceph cannot be reached with {conf} as {client}")]
    Ceph {
        conf: PathBuf,
        client: String,
        #[source]
        source: cuttle_rbd_backend::Error,
    },
    #[error("this process cannot become a control node")]
    Join(#[source] JoinError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("metrics cannot be kept")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
}

/// Opens the database that the configuration names.
pub async fn connect_database(config: &config::Database) -> Result<Database, StartError> {
    let password = match &config.password_file {
        None => None,
        Some(path) => Some(
            read_password(path)
                .map_err(|source| StartError::DatabasePassword { path: path.clone(), source: Box::new(source) })?,
        ),
    };
    let kind = if config.url.starts_with("sqlite:") { "(SQLite)" } else { "(PostgreSQL)" };
    let options = Options { connections: config.connections, ..Options::default() };
    cuttle_database::connect(&config.url, password.as_ref(), &options).await.map_err(|source| StartError::Database(kind, source))
}

/// Connects to Ceph as the configuration says.
pub async fn connect_ceph(config: &config::Ceph) -> Result<Cluster, StartError> {
    let ClusterAddress { config: cluster, limits } = ceph_address(config);
    let failed = |source| StartError::Ceph { conf: config.conf.clone(), client: config.client.clone(), source };
    Cluster::connect(cluster, limits).await.map_err(failed)
}

fn ceph_address(config: &config::Ceph) -> ClusterAddress {
    let timeout = Duration::from_secs(config.timeout_seconds);
    let limits = Limits { call_timeout: timeout, ceph_timeout: timeout * 2, ..Limits::default() };
    let cluster = ClusterConfig {
        conf_file: Some(config.conf.clone()),
        monitors: None,
        client_name: config.client.clone(),
        key: config.keyring.clone().map_or(KeySource::ConfFile, KeySource::Keyring),
    };
    ClusterAddress { config: cluster, limits }
}

/// Serves until SIGTERM or SIGINT.
pub async fn run(config: Config) -> Result<(), StartError> {
    let recorder = observability::metrics::install()?;
    let tls = RustlsConfig::from_config(tls::server_config(&config.agents.tls_directory)?);
    let authority = Authority::open(&config.agents)?;
    let (database, ceph) = tokio::try_join!(connect_database(&config.database), connect_ceph(&config.ceph))?;
    let state = state(&config, database, ceph, authority).await?;
    let stopping = state.shared.stopping.clone();
    let public_listener = listen(config.public.listen)?;
    let agents_listener = listen(config.agents.listen)?;
    let metrics_listener = config.metrics.enabled.then(|| listen(config.metrics.listen)).transpose()?;
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;

    let engine = tokio::spawn({
        let (control, stop) = (state.control.clone(), stop.clone());
        async move { control.run(stop).await }
    });
    let purge = tokio::spawn(purge_tokens(state.shared.clone(), stop.clone()));
    let upkeep = tokio::spawn(observability::metrics::upkeep(recorder.clone(), stop.clone()));
    tokio::spawn(give_heap_back(stop.clone()));
    let readiness = observability::readiness(&state.control);
    if let Some(listener) = metrics_listener {
        let on_metrics = |source| StartError::Listen { address: config.metrics.listen, source };
        let router = observability::router(state.shared.clone(), readiness.clone(), recorder);
        // Ends with the process: until then somebody may want to see how it stops.
        tokio::spawn(axum_server::from_tcp(listener).map_err(on_metrics)?.serve(router.into_make_service()));
    }
    let (public_handle, agents_handle) = (Handle::new(), Handle::new());
    let on_public = |source| StartError::Listen { address: config.public.listen, source };
    let on_agents = |source| StartError::Listen { address: config.agents.listen, source };
    let public_service = public::router(state.clone(), readiness.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let agents_service = agents::router(state).into_make_service();
    let public_server = listener::server(public_listener, HEAD_PATIENCE).map_err(on_public)?.handle(public_handle.clone());
    let agents_server =
        axum_server::from_tcp(agents_listener).map_err(on_agents)?.acceptor(PeerAcceptor::new(tls)).handle(agents_handle.clone());
    let serving =
        tokio::spawn(async move { tokio::try_join!(public_server.serve(public_service), agents_server.serve(agents_service)) });
    tracing::info!(public = %config.public.listen, agents = %config.agents.listen, "serving");

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    stopping.cancel();
    public_handle.graceful_shutdown(Some(GRACE));
    // Agents' connections never end by themselves; the agents connect again, here or elsewhere.
    agents_handle.graceful_shutdown(Some(Duration::from_secs(1)));
    if let Ok(Err(error)) = serving.await {
        tracing::warn!(%error, "a listener failed");
    }
    stop.cancel();
    let _ = tokio::time::timeout(GRACE, async { tokio::join!(engine, purge, upkeep) }).await;
    tracing::info!("stopped");
    Ok(())
}

async fn state(config: &Config, database: Database, ceph: Cluster, authority: Authority) -> Result<Controlled, StartError> {
    let (clock, ids): (Arc<dyn Clock>, Arc<dyn Ids>) = (Arc::new(SystemClock), Arc::new(RandomIds));
    let shared = Shared::new(shared::Parts {
        database: database.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
        passwords: Passwords::new(),
        authority: Arc::new(authority),
        public_url: config.public.url.clone(),
        region: config.identity.region.clone(),
        token_lifetime: config.identity.token_lifetime(),
        host_down_after: Duration::from_secs(config.operations.host_down_after_seconds),
        limits: config.limits(),
        stopping: CancellationToken::new(),
        default_zone: config.operations.scheduler.default_availability_zone.clone(),
        quota: config.quota.amounts(),
        tls_directory: config.agents.tls_directory.clone(),
    });
    let settings = config.operations.clone();
    let connect = Arc::new(ceph_address(&config.ceph));
    let parts = Parts { database, ceph: Arc::new(ceph), connect, clock, ids, settings, probe: None };
    let control = Control::join(parts).await.map_err(StartError::Join)?;
    Ok(Controlled { shared, control })
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, StartError> {
    let listener = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|source| StartError::Listen { address, source })
}

async fn give_heap_back(stop: CancellationToken) {
    let mut ticks = tokio::time::interval(HEAP_RETURN);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        // It holds the heap's locks meanwhile: not on a thread that answers requests.
        let _ = tokio::task::spawn_blocking(cuttle_rbd_backend::give_heap_back).await;
    }
}

async fn purge_tokens(shared: Shared, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(TOKEN_PURGE);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match shared.database.purge_tokens(shared.now()).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "expired tokens were removed"),
            Err(error) => tracing::warn!(%error, "expired tokens could not be removed"),
        }
        if let Err(error) = shared.registry().purge().await {
            tracing::warn!(%error, "hosts' old tokens could not be removed");
        }
    }
}

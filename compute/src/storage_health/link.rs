//! The agent's own connection to Ceph, for probes alone: it has no other use, and no image is opened by it.
//!
//! A connection that does not answer is left behind and another one is made: one that was cut off for long waits as long
//! again before it tries its network anew.

use std::path::PathBuf;
use std::time::Duration;

use cuttle_compute_protocol::{HEALTH_NAMESPACE, MonitorAddress};
use cuttle_rbd_backend::{Class, Cluster, ClusterConfig, Error, KeySource, Limits};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::PATIENCE;

/// How much is written and read.
const PROBE_BYTES: usize = 4096;

/// Which cluster, and as whom.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub client: String,
    pub monitors: Vec<MonitorAddress>,
    pub key: Key,
}

/// Where the client's key comes from.
#[derive(Debug, Clone)]
pub enum Key {
    /// In memory, as Ceph writes it.
    Given(SecretString),
    Keyring(PathBuf),
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        let same_key = match (&self.key, &other.key) {
            (Key::Given(one), Key::Given(two)) => one.expose_secret() == two.expose_secret(),
            (Key::Keyring(one), Key::Keyring(two)) => one == two,
            _ => false,
        };
        same_key && self.client == other.client && self.monitors == other.monitors
    }
}

impl Eq for Credentials {}

/// Why a probe measured nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeError {
    NoAnswer,
    /// Ceph answered that it will not.
    Refused(String),
}

/// Small writes and reads, and how long they took.
pub trait Probe: Sync {
    fn write(&self, pool: &str, object: &str) -> impl Future<Output = Result<Duration, ProbeError>> + Send;

    /// The object need not be there.
    fn read(&self, pool: &str, object: &str) -> impl Future<Output = Result<Duration, ProbeError>> + Send;
}

/// The connection, as long as it answers.
pub struct Link {
    credentials: Credentials,
    cluster: Mutex<Option<Cluster>>,
}

impl Link {
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, cluster: Mutex::new(None) }
    }

    /// The connection; whoever comes while it is being made waits for it.
    async fn cluster(&self) -> Result<Cluster, ProbeError> {
        let mut cluster = self.cluster.lock().await;
        if let Some(cluster) = &*cluster {
            return Ok(cluster.clone());
        }
        let made = Cluster::connect(self.config(), limits()).await.map_err(|error| {
            tracing::debug!(%error, "no connection to Ceph for measuring");
            explain(&error)
        })?;
        Ok(cluster.insert(made).clone())
    }

    fn config(&self) -> ClusterConfig {
        let Credentials { client, monitors, key } = &self.credentials;
        let address = |monitor: &MonitorAddress| match monitor.host.contains(':') {
            true => format!("[{}]:{}", monitor.host, monitor.port),
            false => format!("{}:{}", monitor.host, monitor.port),
        };
        ClusterConfig {
            conf_file: None,
            monitors: Some(monitors.iter().map(address).collect::<Vec<_>>().join(",")),
            client_name: client.clone(),
            key: match key {
                Key::Given(key) => KeySource::Key(key.clone()),
                Key::Keyring(path) => KeySource::Keyring(path.clone()),
            },
        }
    }

    /// What an error means; a connection that does not answer is left behind.
    async fn failed(&self, error: Error, on: &Cluster) -> ProbeError {
        let explained = explain(&error);
        if explained == ProbeError::NoAnswer {
            let mut cluster = self.cluster.lock().await;
            if cluster.as_ref().is_some_and(|present| present.client_id() == on.client_id()) {
                tracing::debug!(%error, "the connection to Ceph for measuring is made anew");
                *cluster = None;
            }
        }
        explained
    }
}

impl Probe for Link {
    async fn write(&self, pool: &str, object: &str) -> Result<Duration, ProbeError> {
        let cluster = self.cluster().await?;
        match cluster.pool(pool).touch(HEALTH_NAMESPACE, object, vec![0; PROBE_BYTES]).await {
            Ok(took) => Ok(took),
            Err(error) => Err(self.failed(error, &cluster).await),
        }
    }

    async fn read(&self, pool: &str, object: &str) -> Result<Duration, ProbeError> {
        let cluster = self.cluster().await?;
        match cluster.pool(pool).feel(HEALTH_NAMESPACE, object, PROBE_BYTES).await {
            Ok(took) => Ok(took),
            Err(error) => Err(self.failed(error, &cluster).await),
        }
    }
}

fn explain(error: &Error) -> ProbeError {
    match error.class() {
        _ if error.is_fenced() => ProbeError::NoAnswer,
        Class::Retry | Class::Unknown => ProbeError::NoAnswer,
        Class::Gone | Class::Refused | Class::Broken => ProbeError::Refused(error.to_string()),
    }
}

fn limits() -> Limits {
    Limits {
        call_timeout: PATIENCE,
        // After its caller has gone.
        ceph_timeout: PATIENCE + Duration::from_secs(2),
        threads: 8,
        max_stuck: 8,
        max_waiting: 16,
        ..Limits::default()
    }
}

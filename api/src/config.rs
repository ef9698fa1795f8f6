//! The configuration file, `/etc/cuttle/api.toml`. Unknown keys are refused, so that a misspelt one is
//! not silently without effect. Passwords are not in it, only the files that hold them.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cuttle_model::quota::{Amounts, Resource, UNLIMITED};
use cuttle_operations::Settings;
use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;

use crate::shared::Limits;

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the configuration {path} cannot be used")]
pub struct ConfigError {
    path: PathBuf,
    #[source]
    source: Box<figment::Error>,
}

/// All of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    pub public: Public,
    #[serde(default)]
    pub agents: Agents,
    pub database: Database,
    #[serde(default)]
    pub ceph: Ceph,
    #[serde(default)]
    pub identity: Identity,
    #[serde(default)]
    pub metrics: Metrics,
    #[serde(default)]
    pub log: Log,
    #[serde(default)]
    pub operations: Settings,
    #[serde(default)]
    pub quota: Quota,
}

/// The OpenStack APIs.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Public {
    pub listen: SocketAddr,
    /// What catalogs and links say; without it, what the client used.
    pub url: Option<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
}

/// The agents' listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Agents {
    pub listen: SocketAddr,
    /// `ca.pem`, `ca.key`, `server.pem`, `server.key`: made by `init`.
    pub tls_directory: PathBuf,
    /// DNS names and addresses by which agents reach this node: in its certificate.
    pub names: Vec<String>,
    /// How long a token that `host add` printed can be used.
    pub join_token_lifetime_seconds: u64,
    /// How long a host's certificate lasts; it is renewed when a third of that is left.
    pub certificate_lifetime_seconds: u64,
}

/// Where everything is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:/path` or `postgres://user@host/name`.
    pub url: String,
    /// Holds PostgreSQL's password, where it needs one.
    pub password_file: Option<PathBuf>,
    #[serde(default = "connections")]
    pub connections: u32,
}

/// The cluster, and who the control plane is there.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ceph {
    pub conf: PathBuf,
    /// The whole entity, `client.cuttle`.
    pub client: String,
    /// Holds its key; without it, what the conf says.
    pub keyring: Option<PathBuf>,
    /// How long a call may take.
    pub timeout_seconds: u64,
    /// Placement groups of pools that `init` makes.
    pub pool_pg_num: u32,
}

/// Users and tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    pub region: String,
    pub admin_user: String,
    pub admin_project: String,
    /// Read by `init` only.
    pub admin_password_file: PathBuf,
    pub token_lifetime_seconds: u64,
    /// How long what a token grants is remembered: the longest time that one which another node has
    /// voided may be let in if that node's word was lost.
    pub token_cache_seconds: u64,
    pub token_cache_entries: usize,
    /// Wrong passwords a minute for one user from one address; 0 limits nothing.
    pub failed_logins_per_minute: u16,
}

/// How much each project may have where nothing else was set; -1 is no limit.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    pub instances: i64,
    /// Virtual CPUs.
    pub cores: i64,
    pub ram_mib: i64,
    /// Of one instance.
    pub metadata_items: i64,
    /// Of one user.
    pub key_pairs: i64,
    pub server_groups: i64,
    pub server_group_members: i64,
}

/// Numbers and health, for machines on this node.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    pub enabled: bool,
    /// Whoever reaches it may read it.
    pub listen: SocketAddr,
}

/// What is logged, to the standard error.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    /// As in `info,cuttle_operations=debug`.
    pub filter: String,
}

/// How a line of log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

fn connections() -> u32 {
    8
}

impl Default for Public {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([0, 0, 0, 0], 8774)), url: None, trusted_proxies: Vec::new() }
    }
}

impl Default for Agents {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8775)),
            tls_directory: "/var/lib/cuttle/tls".into(),
            names: vec!["localhost".into(), "127.0.0.1".into()],
            join_token_lifetime_seconds: 3600,
            certificate_lifetime_seconds: 90 * 86_400,
        }
    }
}

impl Default for Ceph {
    fn default() -> Self {
        Self {
            conf: "/etc/ceph/ceph.conf".into(),
            client: "client.cuttle".into(),
            keyring: None,
            timeout_seconds: 30,
            pool_pg_num: 32,
        }
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            region: "RegionOne".into(),
            admin_user: "admin".into(),
            admin_project: "admin".into(),
            admin_password_file: "/etc/cuttle/admin-password".into(),
            token_lifetime_seconds: 86_400,
            token_cache_seconds: 10,
            token_cache_entries: 10_000,
            failed_logins_per_minute: 10,
        }
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            instances: 10,
            cores: 20,
            ram_mib: 51_200,
            metadata_items: 128,
            key_pairs: 100,
            server_groups: 10,
            server_group_members: 10,
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { enabled: true, listen: SocketAddr::from(([127, 0, 0, 1], 9774)) }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into() }
    }
}

impl Config {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let figment = Figment::from(Toml::file_exact(path));
        let bad = |source| ConfigError { path: path.to_owned(), source: Box::new(source) };
        let config: Self = figment.extract().map_err(bad)?;
        match config.operations.problem() {
            Some(problem) => Err(bad(figment::Error::from(problem))),
            None => Ok(config),
        }
    }
}

impl Quota {
    /// As limits; of what does not exist here, as Nova without its own networks says it.
    pub fn amounts(&self) -> Amounts {
        let own = [
            (Resource::Instances, self.instances),
            (Resource::Cores, self.cores),
            (Resource::Ram, self.ram_mib),
            (Resource::MetadataItems, self.metadata_items),
            (Resource::KeyPairs, self.key_pairs),
            (Resource::ServerGroups, self.server_groups),
            (Resource::ServerGroupMembers, self.server_group_members),
            (Resource::InjectedFiles, 5),
            (Resource::InjectedFileContentBytes, 10_240),
            (Resource::InjectedFilePathBytes, 255),
        ];
        own.into_iter().fold(Amounts::all(UNLIMITED), |all, (resource, limit)| all.with(resource, limit.max(UNLIMITED)))
    }
}

impl Identity {
    pub fn token_lifetime(&self) -> Duration {
        Duration::from_secs(self.token_lifetime_seconds)
    }
}

impl Config {
    /// How much is remembered of callers.
    pub fn limits(&self) -> Limits {
        Limits {
            token_cache_age: Duration::from_secs(self.identity.token_cache_seconds),
            token_cache_entries: self.identity.token_cache_entries,
            failed_logins_per_minute: self.identity.failed_logins_per_minute,
            trusted_proxies: self.public.trusted_proxies.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        Figment::from(Toml::string(text)).extract().map_err(|error| error.to_string())
    }

    #[test]
    fn the_database_is_all_that_must_be_given() {
        let config = read("[database]\nurl = \"sqlite:/tmp/x.db\"\n").unwrap();
        assert_eq!(config.public.listen.port(), 8774);
        assert_eq!(config.operations.vms_pool, "vms");
        assert!(read("").is_err());
    }

    #[test]
    fn filters_and_drivers_have_names() {
        let with = |text: &str| read(&format!("[database]\nurl = \"sqlite:/tmp/x.db\"\n[operations.scheduler]\n{text}\n"));
        let config =
            with("driver = \"caching\"\nenabled_filters = [\"RamFilter\", \"IoOpsFilter\"]\novercommit = \"classic\"").unwrap();
        assert_eq!(config.operations.scheduler.enabled_filters.len(), 2);
        assert!(with("enabled_filters = [\"RamsFilter\"]").unwrap_err().contains("RamsFilter"));
        assert!(with("ram_weigth_multiplier = 1.0").unwrap_err().contains("unknown field"));
    }

    #[test]
    fn a_misspelt_key_is_refused_by_name() {
        for text in ["[public]\nlisen = \"1.2.3.4:1\"\n", "[operations]\nvm_pool = \"x\"\n", "[publik]\n"] {
            let error = read(&format!("{text}[database]\nurl = \"sqlite:/tmp/x.db\"\n")).unwrap_err();
            assert!(error.contains("unknown field"), "{error}");
        }
    }
}

//! The agent's configuration: one TOML file. A key that is not known is refused, with its name.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cuttle_model::crush::CrushLocation;
use cuttle_model::host::{HostName, VirtType};
use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;
use uuid::Uuid;

use crate::domain_xml::CpuModel;
use crate::secret::CephAccess;

/// All of it. Only `host` and `control` have no default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The host's name, as it was added to the control plane.
    pub host: HostName,
    /// The control nodes' agent listeners, as `https://control1:8775`. They are tried in turn.
    pub control: Vec<String>,
    /// Where the token to join with is put, for its owner alone to read. It is removed when the host has joined.
    #[serde(default = "default_token_file")]
    pub token_file: PathBuf,
    #[serde(default = "default_state_dir")]
    pub state_dir: PathBuf,
    #[serde(default = "default_libvirt_uri")]
    pub libvirt_uri: String,
    /// A Ceph client (`nova` or `client.nova`) that is used in the place of the host's own, with a libvirt secret
    /// that was made by hand. Both are given, or neither.
    pub rbd_user: Option<String>,
    pub rbd_secret_uuid: Option<Uuid>,
    /// What guests run on.
    #[serde(default)]
    pub virt_type: VirtTypeSetting,
    /// Which CPU guests see where there is hardware virtualization.
    #[serde(default)]
    pub cpu_model: CpuModel,
    /// The address on which guests' screens are served.
    #[serde(default = "default_vnc_listen")]
    pub vnc_listen: IpAddr,
    /// The host's address on the storage network. Its guests' Ceph clients come from there.
    pub storage_address: Option<IpAddr>,
    /// Where the kernel says which run of it this is.
    #[serde(default = "default_boot_id_file")]
    pub boot_id_file: PathBuf,
    #[serde(default)]
    pub storage: StorageConfig,
    #[serde(default)]
    pub resources: ResourcesConfig,
    #[serde(default)]
    pub limits: LimitsConfig,
    #[serde(default)]
    pub log: LogConfig,
}

/// What guests run on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VirtTypeSetting {
    /// Whatever the probe finds to work.
    #[default]
    Auto,
    /// Hardware virtualization, without a probe.
    Kvm,
    /// Emulation.
    Qemu,
}

impl VirtTypeSetting {
    /// The type that is forced, if one is.
    pub fn forced(self) -> Option<VirtType> {
        match self {
            Self::Auto => None,
            Self::Kvm => Some(VirtType::Kvm),
            Self::Qemu => Some(VirtType::Qemu),
        }
    }
}

/// Where the host stands among the OSDs, and how it reaches them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageConfig {
    /// As `root=default rack=rack1`. Where it is not given, a host of this name in CRUSH says it.
    pub crush_location: Option<CrushLocation>,
    /// Whether guests read from the nearest replica, where it is known where the host stands.
    pub localize_reads: bool,
    /// What guests' librbd is told of that; QEMU's user reads it.
    pub librbd_conf: PathBuf,
    /// The key of `rbd_user`, to measure storage with; without it, it is not measured.
    pub keyring: Option<PathBuf>,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self { crush_location: None, localize_reads: true, librbd_conf: "/etc/ceph/cuttle.conf".into(), keyring: None }
    }
}

/// What of the machine may be given to guests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResourcesConfig {
    /// Virtual CPUs per CPU thread.
    pub cpu_ratio: f64,
    /// Guests' memory per memory.
    pub ram_ratio: f64,
    /// Memory kept for the host itself, in MiB.
    pub reserved_ram_mib: u64,
}

impl Default for ResourcesConfig {
    fn default() -> Self {
        Self { cpu_ratio: 4.0, ram_ratio: 1.0, reserved_ram_mib: 512 }
    }
}

/// How long things may take. Below the control plane's patience with a command (60 s by default), so that
/// it hears why one failed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// For a call that libvirt answers at once.
    pub call_timeout_seconds: u64,
    /// For creating a guest, which opens its disks.
    pub create_timeout_seconds: u64,
    /// For ending a guest, until its process is gone.
    pub destroy_timeout_seconds: u64,
    /// For the probe's guest to come to its end.
    pub probe_timeout_seconds: u64,
    /// For one exchange with the control plane.
    pub request_timeout_seconds: u64,
    /// Between two looks at all guests, besides events.
    pub look_interval_seconds: u64,
    /// How long late commands for a deleted instance are still refused, in days.
    pub tombstone_days: u64,
    /// The most that a console log sends, in bytes. Six times that must fit into one message, for a
    /// guest may write nothing but control characters.
    pub console_max_bytes: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            call_timeout_seconds: 30,
            create_timeout_seconds: 45,
            destroy_timeout_seconds: 45,
            probe_timeout_seconds: 15,
            request_timeout_seconds: 10,
            look_interval_seconds: 30,
            tombstone_days: 30,
            console_max_bytes: 256 << 10,
        }
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    pub format: LogFormat,
    /// As `info` or `cuttle_compute=debug,info`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration in {}: {source}", .path.display())]
    Read { path: PathBuf, source: Box<figment::Error> },
    #[error("the configuration in {} is not usable: {reason}", .path.display())]
    Value { path: PathBuf, reason: String },
}

impl Config {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Read { path: path.to_owned(), source: Box::new(source) };
        let config: Self = Figment::from(Toml::file_exact(path)).extract().map_err(failed)?;
        config.check().map_err(|reason| ConfigError::Value { path: path.to_owned(), reason })?;
        Ok(config)
    }

    /// The Ceph client that the configuration names in the place of the host's own.
    pub fn configured_ceph(&self) -> Option<CephAccess> {
        let (user, secret) = (self.rbd_user.as_deref()?, self.rbd_secret_uuid?);
        let client = format!("client.{}", user.strip_prefix("client.").unwrap_or(user));
        Some(CephAccess::Configured { client, secret })
    }

    fn check(&self) -> Result<(), String> {
        if self.control.is_empty() {
            return Err("`control` names no control node".to_owned());
        }
        if self.rbd_user.is_some() != self.rbd_secret_uuid.is_some() {
            return Err("`rbd_user` and `rbd_secret_uuid` belong together: give both or neither".to_owned());
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.rbd_user.as_deref().is_some_and(|user| user.is_empty() || !user.chars().all(plain)) {
            return Err("`rbd_user` has other characters than letters, digits, dots, dashes and underscores".to_owned());
        }
        for (key, ratio) in [("cpu_ratio", self.resources.cpu_ratio), ("ram_ratio", self.resources.ram_ratio)] {
            if !(0.01..=1000.0).contains(&ratio) {
                return Err(format!("`resources.{key}` is {ratio}; it can be 0.01 to 1000"));
            }
        }
        let limits = &self.limits;
        for (key, value) in [
            ("call_timeout_seconds", limits.call_timeout_seconds),
            ("create_timeout_seconds", limits.create_timeout_seconds),
            ("destroy_timeout_seconds", limits.destroy_timeout_seconds),
            ("probe_timeout_seconds", limits.probe_timeout_seconds),
            ("request_timeout_seconds", limits.request_timeout_seconds),
            ("look_interval_seconds", limits.look_interval_seconds),
        ] {
            if !(1..=3600).contains(&value) {
                return Err(format!("`limits.{key}` is {value}; it can be 1 to 3600"));
            }
        }
        Ok(())
    }
}

impl LimitsConfig {
    /// How long a tombstone lasts.
    pub fn tombstone_age(&self) -> Duration {
        Duration::from_secs(self.tombstone_days.saturating_mul(86_400))
    }
}

fn default_state_dir() -> PathBuf {
    PathBuf::from("/var/lib/cuttle-compute")
}

fn default_token_file() -> PathBuf {
    PathBuf::from("/etc/cuttle/token")
}

fn default_libvirt_uri() -> String {
    "qemu:///system".to_owned()
}

fn default_vnc_listen() -> IpAddr {
    IpAddr::from([127, 0, 0, 1])
}

fn default_boot_id_file() -> PathBuf {
    PathBuf::from("/proc/sys/kernel/random/boot_id")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "host = 'host1'\ncontrol = ['https://c:8775']\n";

    fn read(text: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::read(file.path())
    }

    #[test]
    fn two_keys_are_enough() {
        let config = read(LEAST).unwrap();
        assert_eq!(config.virt_type, VirtTypeSetting::Auto);
        assert_eq!(config.libvirt_uri, "qemu:///system");
        assert!(config.configured_ceph().is_none());
    }

    #[test]
    fn a_configured_client_is_named_as_ceph_names_it() {
        for user in ["nova", "client.nova"] {
            let text = format!("{LEAST}rbd_user = '{user}'\nrbd_secret_uuid = '457eb676-33da-42ec-9a8c-9293d545c337'\n");
            assert_eq!(read(&text).unwrap().configured_ceph().unwrap().client(), "client.nova");
        }
    }

    #[test]
    fn what_is_not_known_or_makes_no_sense_is_refused_by_name() {
        for (text, named) in [
            ("tokenfile = '/x'\n", "tokenfile"),
            ("ca = '/ca.pem'\n", "ca"),
            ("rbd_user = 'nova'\n", "rbd_secret_uuid"),
            ("rbd_user = 'a b'\nrbd_secret_uuid = '457eb676-33da-42ec-9a8c-9293d545c337'\n", "rbd_user"),
            ("rbd_user = 'nova'\nrbd_secret_uuid = 'none'\n", "rbd_secret_uuid"),
            ("[limits]\ncall_timeout = 3\n", "call_timeout"),
            ("[limits]\ncall_timeout_seconds = 0\n", "call_timeout_seconds"),
            ("[resources]\ncpu_ratio = -1.0\n", "cpu_ratio"),
            ("virt_type = 'xen'\n", "virt_type"),
            ("vnc_listen = 'everywhere'\n", "vnc_listen"),
            ("[storage]\ncrush_location = 'rack 1'\n", "crush_location"),
            ("[storage]\nlocalise_reads = true\n", "localise_reads"),
        ] {
            let error = read(&format!("{LEAST}{text}")).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        assert!(read("host = 'host1'\n").is_err());
    }
}

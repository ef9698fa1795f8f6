//! How to reach a cluster, as whom, and how long to wait for it.

use secrecy::SecretString;
use std::path::PathBuf;
use std::time::Duration;

/// Which cluster, and the identity to use there.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// A ceph.conf, read first; what follows wins over it. None: the monitors alone must do.
    pub conf_file: Option<PathBuf>,
    /// Monitor addresses as ceph.conf's `mon_host` has them.
    pub monitors: Option<String>,
    /// The whole entity, as `client.cuttle`.
    pub client_name: String,
    pub key: KeySource,
}

/// Where the identity's key comes from. Neither form is ever shown.
#[derive(Clone, Debug)]
pub enum KeySource {
    Keyring(PathBuf),
    Key(SecretString),
    /// Whatever the ceph.conf says (`keyring`, `key` or `keyfile`).
    ConfFile,
}

/// How long to wait, and how much at once.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A call's deadline unless its handle has another one (`with_timeout`).
    pub call_timeout: Duration,
    /// The deadline of what takes long by nature: deleting an image's data.
    pub long_call_timeout: Duration,
    /// After this long Ceph's own calls return, so that a stuck thread comes back. Longer than `call_timeout`, so that
    /// a slow cluster fails callers before it fails librbd.
    pub ceph_timeout: Duration,
    /// Threads for calls that have no completion form. Stuck ones do not count among them.
    pub threads: usize,
    /// Calls past their deadline that may hang in Ceph before new ones are refused.
    pub max_stuck: usize,
    /// Calls that may wait for a thread before new ones are refused.
    pub max_waiting: usize,
    /// Reads and writes in flight, over all images.
    pub aio_in_flight: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            call_timeout: Duration::from_secs(30),
            long_call_timeout: Duration::from_secs(3600),
            ceph_timeout: Duration::from_secs(60),
            threads: 16,
            max_stuck: 16,
            max_waiting: 1024,
            aio_in_flight: 128,
        }
    }
}

impl Limits {
    /// Ceph counts these in whole seconds, and zero would mean for ever.
    pub(crate) fn ceph_timeout_seconds(&self) -> String {
        self.ceph_timeout.as_secs().max(1).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_shown() {
        let config = ClusterConfig {
            conf_file: None,
            monitors: Some("127.0.0.1".into()),
            client_name: "client.cuttle".into(),
            key: KeySource::Key("AQsecret==".into()),
        };
        assert!(!format!("{config:?}").contains("AQsecret"));
    }

    #[test]
    fn a_timeout_is_never_for_ever() {
        let limits = Limits { ceph_timeout: Duration::from_millis(10), ..Limits::default() };
        assert_eq!(limits.ceph_timeout_seconds(), "1");
    }
}

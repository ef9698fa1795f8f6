//! A compute host as the control plane knows it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::HostId;

/// A host's name: what operators type, part of its cephx identity and of paths.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct HostName(String);

/// The text is no host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a host name has 1 to 63 lower-case letters, digits, dots and dashes, and starts and ends with a letter or digit")]
pub struct BadHostName;

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = BadHostName;

    fn from_str(text: &str) -> Result<Self, BadHostName> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let inner = text.chars().all(|c| plain(c) || c == '-' || c == '.');
        let ends = text.starts_with(plain) && text.ends_with(plain);
        match inner && ends && text.len() <= 63 {
            true => Ok(Self(text.to_owned())),
            false => Err(BadHostName),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for HostName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A compute host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub id: HostId,
    pub name: HostName,
    /// Operators take a host out of placement by disabling it.
    pub administrative: Administrative,
    /// What the agent last said of the machine; `None` until it first said hello.
    pub resources: Option<HostResources>,
    /// Identifies one run of the host's kernel.
    pub boot_id: Option<String>,
    /// When the control plane last heard from the agent.
    pub last_seen_at: Option<Timestamp>,
    /// Which of the host's cephx identities is valid: `client.cuttle.<name>.<generation>`.
    pub ceph_generation: i64,
    pub created_at: Timestamp,
}

impl Host {
    /// The cephx identity of the host's agent and guests.
    pub fn ceph_client(&self) -> String {
        self.ceph_client_of(self.ceph_generation)
    }

    /// The identity of that generation.
    pub fn ceph_client_of(&self, generation: i64) -> String {
        format!("client.cuttle.{}.{generation}", self.name)
    }
}

/// An operator's word about a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Administrative {
    /// Takes new instances.
    Enabled,
    /// Takes none; those that it has run on.
    Disabled {
        /// Why, in the operator's words.
        reason: Option<String>,
    },
}

/// What a host has, and what runs there besides guests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostResources {
    /// CPU threads.
    pub vcpus: u32,
    /// Memory in MiB.
    pub ram_mib: u64,
    /// Memory kept for the host itself, in MiB.
    pub reserved_ram_mib: u64,
    /// Virtual CPUs that may be claimed per CPU thread, in thousandths.
    pub cpu_ratio_milli: u32,
    /// Memory that may be claimed per memory, in thousandths.
    pub ram_ratio_milli: u32,
    /// `kvm` or `qemu`: what guests really run on, as probed.
    pub virt_type: VirtType,
    /// Of libvirt, as `11.3.0`.
    pub libvirt_version: String,
    /// Of QEMU, as `10.0.2`.
    pub hypervisor_version: String,
    /// The machine's architecture, `x86_64`.
    pub architecture: String,
    #[serde(default)]
    pub agent: AgentFacts,
}

/// What is known of a host's agent itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentFacts {
    /// As `0.1.0`; empty where it has not said.
    pub version: String,
    /// How far the host's clock is ahead of the control plane's; behind it where this is negative.
    pub clock_ahead_ms: i64,
}

impl HostResources {
    /// Virtual CPUs that may be claimed in all.
    pub fn vcpu_limit(&self) -> u64 {
        u64::from(self.vcpus) * u64::from(self.cpu_ratio_milli) / 1000
    }

    /// Memory that may be claimed in all, in MiB.
    pub fn ram_limit_mib(&self) -> u64 {
        self.ram_mib.saturating_sub(self.reserved_ram_mib).saturating_mul(u64::from(self.ram_ratio_milli)) / 1000
    }
}

/// How guests are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VirtType {
    /// Hardware virtualization.
    Kvm,
    /// QEMU's own emulation (TCG).
    Qemu,
}

impl VirtType {
    /// libvirt's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            VirtType::Kvm => "kvm",
            VirtType::Qemu => "qemu",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_safe_in_paths_and_cephx_names() {
        for good in ["host1", "rack-3.host-12", "a"] {
            assert!(good.parse::<HostName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-a", "a-", "A", "a b", "a/b", "a'", "ä", &"a".repeat(64)] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }
}

//! Why an instance went where it did, or nowhere: what is kept of each choice of a host.
//!
//! The counts are of hosts: each is counted by the first filter that refused it, in the order of the
//! list, so what all filters removed and what was left add up to `hosts`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::host::HostName;
use crate::ids::{InstanceId, OperationId};

/// The reasons of one choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reasons {
    /// Hosts that were looked at.
    pub hosts: u32,
    /// What each filter removed, in the order in which they count. One that removed nothing is there too.
    pub filters: Vec<Removed>,
    /// Hosts that could take the instance.
    pub left: u32,
    /// The best of them, the best first.
    pub top: Vec<Weighed>,
    /// Where none is left: hosts that fail one filter only, by what they lack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nearest: Vec<NearMiss>,
    pub chosen: Option<HostName>,
}

/// What a filter removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    pub filter: Cow<'static, str>,
    pub hosts: u32,
    /// The least that one of these hosts lacks, where that is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest_miss: Option<Shortfall>,
}

/// How much is missing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shortfall {
    pub amount: u64,
    pub unit: Cow<'static, str>,
}

/// Hosts that would do but for one filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearMiss {
    pub filter: Cow<'static, str>,
    /// How many.
    pub hosts: u32,
    /// The least that one of them lacks, and how many lack no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortfall: Option<(Shortfall, u32)>,
}

/// A host that could take the instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weighed {
    pub host: HostName,
    /// The sum of the parts.
    pub weight: f64,
    pub parts: Vec<Part>,
}

/// A weigher's say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub weigher: Cow<'static, str>,
    /// What it measured.
    pub raw: f64,
    /// That, from 0 to 1 among the hosts that were left, times the weigher's multiplier.
    pub weight: f64,
}

/// A choice as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlacementRecord {
    pub instance_id: InstanceId,
    /// The operation that asked for it; none where no host was found, so that none began.
    pub operation_id: Option<OperationId>,
    pub made_at: Timestamp,
    /// The operation's kind, such as `create_instance`.
    pub purpose: String,
    pub reasons: Reasons,
    /// In words, where there was no host.
    pub refusal: Option<String>,
}

impl Reasons {
    /// Why no host is left, in a sentence or two for the user.
    pub fn refusal(&self) -> String {
        if self.hosts == 0 {
            return "No valid host was found. No compute host has joined yet.".to_owned();
        }
        let removing: Vec<String> = self.filters.iter().filter(|removed| removed.hosts > 0).map(Removed::reason).collect();
        let mut text = format!("No valid host was found. {}.", removing.join("; "));
        // With one filter at work, this was said.
        if removing.len() > 1 && !self.nearest.is_empty() {
            let near: Vec<String> = self.nearest.iter().map(NearMiss::reason).collect();
            text.push_str(&format!(" Nearest: {}.", near.join("; ")));
        }
        text
    }
}

impl Removed {
    fn reason(&self) -> String {
        let missing = self.nearest_miss.as_ref().map(|miss| format!(" (nearest miss: {} {} short)", miss.amount, miss.unit));
        format!("{} removed {}{}", self.filter, counted(self.hosts), missing.unwrap_or_default())
    }
}

impl NearMiss {
    /// In words.
    pub fn reason(&self) -> String {
        match &self.shortfall {
            Some((lack, hosts)) => format!("{} short of {} {} only", counted(*hosts), lack.amount, lack.unit),
            None => format!("{} refused by {} only", counted(self.hosts), self.filter),
        }
    }
}

fn counted(hosts: u32) -> String {
    if hosts == 1 { "1 host".to_owned() } else { format!("{hosts} hosts") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(filter: &'static str, hosts: u32) -> Removed {
        Removed { filter: filter.into(), hosts, nearest_miss: None }
    }

    #[test]
    fn a_refusal_names_each_filter_and_the_hosts_that_lack_least() {
        let lack = Shortfall { amount: 512, unit: "MiB".into() };
        let ram = Removed { nearest_miss: Some(lack.clone()), ..removed("RamFilter", 4) };
        let mut reasons = Reasons {
            hosts: 4,
            filters: vec![removed("ComputeFilter", 0), ram.clone()],
            left: 0,
            top: Vec::new(),
            nearest: vec![NearMiss { filter: "RamFilter".into(), hosts: 4, shortfall: Some((lack, 3)) }],
            chosen: None,
        };
        assert_eq!(reasons.refusal(), "No valid host was found. RamFilter removed 4 hosts (nearest miss: 512 MiB short).");
        reasons.filters = vec![removed("ComputeFilter", 1), ram];
        assert!(reasons.refusal().ends_with(" Nearest: 3 hosts short of 512 MiB only."), "{}", reasons.refusal());
        reasons.hosts = 0;
        assert!(reasons.refusal().contains("No compute host has joined"));
    }
}

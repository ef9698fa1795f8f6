//! What the cluster says of itself: its health checks, its monitors and OSDs, and what an operator does about each.

use crate::cluster::Cluster;
use crate::error::{Attempt, Effect, Error};
use crate::monitor::{self, Answer};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Ok,
    Warning,
    /// Something does not work.
    Error,
}

/// The cluster's own account of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub severity: Severity,
    /// Worst first. Muted ones are left out.
    pub checks: Vec<HealthCheck>,
    pub monitors: usize,
    pub monitors_in_quorum: usize,
    pub osds: usize,
    pub osds_up: usize,
    pub osds_in: usize,
}

/// One thing that Ceph complains of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Ceph's word, as `OSD_NEARFULL`.
    pub code: String,
    pub severity: Severity,
    /// Ceph's sentence.
    pub summary: String,
    /// The first few of what it is about, in Ceph's words.
    pub details: Vec<String>,
}

/// How much of a long list is kept.
const DETAILS: usize = 5;

impl HealthCheck {
    /// What it means for instances, and what to do. None for what does not concern them.
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self.code.as_str() {
            "OSD_FULL" | "POOL_FULL" => {
                "no disk can be made and guests that write wait; deleting works. Delete instances or images and empty the trash \
                 (cuttle-api purges it when its delay is over), raise the pool's quota, or add OSDs"
            }
            "OSD_NEARFULL" | "OSD_BACKFILLFULL" | "POOL_NEARFULL" | "POOL_BACKFILLFULL" => {
                "still works; free room or add OSDs before it is full, because guests that write will then wait"
            }
            "MON_DOWN" => "still works as long as most monitors are in quorum; start the monitor that is down",
            "OSD_DOWN" | "OSD_HOST_DOWN" | "OSD_RACK_DOWN" => {
                "still works as long as each placement group has its min_size of replicas; start the OSDs that are down"
            }
            "PG_AVAILABILITY" => {
                "reads and writes of some disks wait until enough OSDs are back; operations are tried again and then undone"
            }
            "PG_DEGRADED" | "PG_DEGRADED_FULL" => "still works with fewer replicas; Ceph is making new ones",
            "SLOW_OPS" => "storage is slow; operations are tried again. Look at the OSDs that are named and at their network",
            "OSDMAP_FLAGS" => {
                "an operator has set these flags; 'ceph osd unset <flag>' takes one back. With pauserd or pausewr disks wait"
            }
            "POOL_APP_NOT_ENABLED" => "'cuttle-api init' sets the use of its pools",
            "MON_CLOCK_SKEW" => "set the monitors' clocks by NTP: with too much skew they lose their quorum",
            _ => return None,
        })
    }
}

#[derive(Deserialize)]
struct RawHealth {
    status: String,
    checks: BTreeMap<String, RawCheck>,
}

#[derive(Deserialize)]
struct RawCheck {
    severity: String,
    summary: RawSummary,
    #[serde(default)]
    detail: Vec<RawDetail>,
    #[serde(default)]
    muted: bool,
}

#[derive(Deserialize)]
struct RawSummary {
    message: String,
}

#[derive(Deserialize)]
struct RawDetail {
    message: String,
}

#[derive(Deserialize)]
struct RawStatus {
    quorum_names: Vec<String>,
    monmap: RawMonitors,
    osdmap: RawOsds,
}

#[derive(Deserialize)]
struct RawMonitors {
    num_mons: usize,
}

#[derive(Deserialize)]
struct RawOsds {
    num_osds: usize,
    num_up_osds: usize,
    num_in_osds: usize,
}

impl Cluster {
    /// What the monitors say of the cluster.
    pub async fn health(&self) -> Result<Health, Error> {
        self.call(Attempt::on_cluster("read the cluster's health", Effect::Read), |inner, attempt| {
            let health = json!({"prefix": "health", "detail": "detail", "format": "json"});
            let health: RawHealth = monitor::query(inner, attempt, &health, Answer::Plain)?;
            let status: RawStatus =
                monitor::query(inner, attempt, &json!({"prefix": "status", "format": "json"}), Answer::Plain)?;
            Ok(health_of(health, &status))
        })
        .await
    }
}

fn health_of(health: RawHealth, status: &RawStatus) -> Health {
    let mut checks: Vec<HealthCheck> = health
        .checks
        .into_iter()
        .filter(|(_, check)| !check.muted)
        .map(|(code, check)| HealthCheck {
            code,
            severity: severity(&check.severity),
            summary: check.summary.message,
            details: check.detail.into_iter().take(DETAILS).map(|detail| detail.message).collect(),
        })
        .collect();
    checks.sort_by_key(|check| std::cmp::Reverse(check.severity));
    Health {
        severity: severity(&health.status),
        checks,
        monitors: status.monmap.num_mons,
        monitors_in_quorum: status.quorum_names.len(),
        osds: status.osdmap.num_osds,
        osds_up: status.osdmap.num_up_osds,
        osds_in: status.osdmap.num_in_osds,
    }
}

/// What is not known to be fine is not taken for fine.
fn severity(word: &str) -> Severity {
    match word {
        "HEALTH_OK" => Severity::Ok,
        "HEALTH_WARN" => Severity::Warning,
        _ => Severity::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_and_what_is_muted_not_at_all() {
        let health = serde_json::from_str(
            r#"{"status":"HEALTH_ERR","checks":{
                "MON_DOWN":{"severity":"HEALTH_WARN","summary":{"message":"1/3 mons down","count":1},"detail":[],"muted":false},
                "OSD_FULL":{"severity":"HEALTH_ERR","summary":{"message":"1 full osd(s)","count":1},
                    "detail":[{"message":"osd.0 is full"}],"muted":false},
                "X":{"severity":"HEALTH_WARN","summary":{"message":"x","count":1},"muted":true}}}"#,
        );
        let status = serde_json::from_str(
            r#"{"quorum_names":["a","b"],"monmap":{"num_mons":3},"osdmap":{"num_osds":4,"num_up_osds":3,"num_in_osds":4}}"#,
        );
        let health = health_of(health.unwrap(), &status.unwrap());
        assert_eq!(health.checks.iter().map(|check| check.code.as_str()).collect::<Vec<_>>(), ["OSD_FULL", "MON_DOWN"]);
        assert_eq!(health.checks[0].details, ["osd.0 is full"]);
        assert!(health.checks.iter().all(|check| check.advice().is_some()));
        assert_eq!((health.severity, health.monitors_in_quorum, health.osds_up), (Severity::Error, 2, 3));
    }
}

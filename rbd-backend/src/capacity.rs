//! Pools: made ready for images or objects, and how much room they have.

use crate::cluster::{Cluster, Inner};
use crate::error::{Attempt, Effect, Error, Reason};
use crate::monitor::{self, Answer};
use crate::sys::errno::Errno;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What a pool is for, told to Ceph as its application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolUse {
    /// Images: application `rbd`, and librbd's own object in it.
    Images,
    /// RADOS objects of this application.
    Objects(String),
}

/// Why a pool takes no more data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullBecause {
    Quota,
    /// An OSD that it lies on is.
    Osd,
}

impl FullBecause {
    /// What an answer means.
    pub(crate) fn of(errno: Errno) -> Option<FullBecause> {
        match errno {
            Errno::QUOTA => Some(FullBecause::Quota),
            Errno::NO_SPACE => Some(FullBecause::Osd),
            _ => None,
        }
    }
}

impl fmt::Display for FullBecause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            FullBecause::Quota => "its quota is used up",
            FullBecause::Osd => "an OSD that it lies on is full",
        })
    }
}

/// One pool's account. `max_avail_bytes` is after replication, of the fullest OSD, as Ceph counts it; never more than what
/// its quota leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolCapacity {
    pub max_avail_bytes: u64,
    pub stored_bytes: u64,
    /// Writes are refused or wait.
    pub full: Option<FullBecause>,
    pub nearfull: bool,
}

/// A pool that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolState {
    pub name: String,
    /// None: there is no such pool.
    pub capacity: Option<PoolCapacity>,
    /// How many replicas each object has, and how many must be there for it to be read and written.
    pub size: u32,
    pub min_size: u32,
    /// What it is for, as Ceph was told: `rbd` for images.
    pub applications: Vec<String>,
}

#[derive(Deserialize)]
struct Usage {
    pools: Vec<PoolUsage>,
}

#[derive(Deserialize)]
struct PoolUsage {
    name: String,
    stats: UsageStats,
}

#[derive(Deserialize)]
struct UsageStats {
    stored: u64,
    max_avail: u64,
}

#[derive(Deserialize)]
struct PoolDetail {
    pool_name: String,
    #[serde(default)]
    flags_names: String,
    #[serde(default)]
    quota_max_bytes: u64,
    #[serde(default)]
    size: u32,
    #[serde(default)]
    min_size: u32,
    #[serde(default)]
    application_metadata: BTreeMap<String, serde_json::Value>,
}

/// What is asked of the monitors, for any number of pools.
struct Accounts {
    usage: Usage,
    details: Vec<PoolDetail>,
}

impl Cluster {
    /// Makes the pool, or brings an existing one to its use. Safe to repeat; an existing pool's shape is left alone.
    pub async fn create_pool(&self, name: &str, pool_use: PoolUse) -> Result<(), Error> {
        self.create_pool_sized(name, pool_use, None).await
    }

    /// As `create_pool`; a pool that is made has so many placement groups. None: as many as Ceph gives it.
    pub async fn create_pool_sized(&self, name: &str, pool_use: PoolUse, pg_num: Option<u32>) -> Result<(), Error> {
        let pool: Arc<str> = name.into();
        self.call(attempt("make pool ready", Effect::Change, &pool), move |inner, attempt| {
            let mut request = json!({"prefix": "osd pool create", "pool": &*pool});
            if let Some(pg_num) = pg_num {
                request["pg_num"] = json!(pg_num);
            }
            monitor::command(inner, attempt, &request, Answer::Plain)?;
            let ceph = |errno: Errno| attempt.ceph(errno);
            inner.connection().wait_for_latest_map().map_err(ceph)?;
            let context = inner.context(&pool, attempt)?;
            match pool_use {
                PoolUse::Images => context.initialize_for_images().and_then(|()| context.make_trash()).map_err(ceph),
                PoolUse::Objects(application) => context.enable_application(&application).map_err(ceph),
            }
        })
        .await
    }

    pub async fn pool_capacity(&self, pool: &str) -> Result<PoolCapacity, Error> {
        let pool: Arc<str> = pool.into();
        self.call(attempt("read capacity", Effect::Read, &pool), move |inner, attempt| {
            Accounts::read(inner, attempt)?.capacity(&pool).ok_or_else(|| attempt.error(Reason::NoPool))
        })
        .await
    }

    /// How these pools are, in the order in which they are named.
    pub async fn pool_states(&self, pools: &[&str]) -> Result<Vec<PoolState>, Error> {
        let pools: Vec<String> = pools.iter().map(|pool| (*pool).to_owned()).collect();
        self.call(Attempt::on_cluster("look at the pools", Effect::Read), move |inner, attempt| {
            let accounts = Accounts::read(inner, attempt)?;
            Ok(pools.into_iter().map(|pool| accounts.state(pool)).collect())
        })
        .await
    }
}

fn attempt(action: &'static str, effect: Effect, pool: &Arc<str>) -> Attempt {
    Attempt { pool: Some(Arc::clone(pool)), ..Attempt::on_cluster(action, effect) }
}

impl Accounts {
    fn read(inner: &Inner, attempt: &Attempt) -> Result<Accounts, Error> {
        let usage = monitor::query(inner, attempt, &json!({"prefix": "df", "format": "json"}), Answer::Plain)?;
        let details = json!({"prefix": "osd pool ls", "detail": "detail", "format": "json"});
        let details = monitor::query(inner, attempt, &details, Answer::Plain)?;
        Ok(Accounts { usage, details })
    }

    fn detail(&self, pool: &str) -> Option<&PoolDetail> {
        self.details.iter().find(|detail| detail.pool_name == pool)
    }

    fn state(&self, name: String) -> PoolState {
        let detail = self.detail(&name);
        PoolState {
            capacity: self.capacity(&name),
            size: detail.map_or(0, |detail| detail.size),
            min_size: detail.map_or(0, |detail| detail.min_size),
            applications: detail.map(|detail| detail.application_metadata.keys().cloned().collect()).unwrap_or_default(),
            name,
        }
    }

    fn capacity(&self, pool: &str) -> Option<PoolCapacity> {
        let detail = self.detail(pool)?;
        let has = |wanted: &[&str]| detail.flags_names.split(',').any(|flag| wanted.contains(&flag));
        // A pool that has just been made has no usage yet: no room is known, none is promised.
        let stats = self.usage.pools.iter().find(|usage| usage.name == pool).map(|usage| &usage.stats);
        let (stored, avail) = stats.map_or((0, 0), |stats| (stats.stored, stats.max_avail));
        let left = match detail.quota_max_bytes {
            0 => u64::MAX,
            quota => quota.saturating_sub(stored),
        };
        // A pool whose quota is used up has both flags.
        let full = match (has(&["full_quota"]), has(&["full"])) {
            (true, _) => Some(FullBecause::Quota),
            (false, true) => Some(FullBecause::Osd),
            (false, false) => None,
        };
        let nearfull = full.is_some() || has(&["nearfull", "backfillfull"]);
        Some(PoolCapacity { max_avail_bytes: avail.min(left), stored_bytes: stored, full, nearfull })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(flags: &str, quota: u64) -> Accounts {
        let usage = r#"{"pools":[{"name":"vms","id":1,"stats":{"stored":5,"max_avail":7,"objects":1}}]}"#;
        let detail = json!([{"pool_name": "vms", "flags_names": flags, "quota_max_bytes": quota, "size": 3, "min_size": 2,
            "application_metadata": {"rbd": {}}}]);
        Accounts { usage: serde_json::from_str(usage).unwrap(), details: serde_json::from_value(detail).unwrap() }
    }

    #[test]
    fn flags_are_whole_words() {
        let read = |flags| accounts(flags, 0).capacity("vms").unwrap();
        let plain = PoolCapacity { max_avail_bytes: 7, stored_bytes: 5, full: None, nearfull: false };
        assert_eq!(read("hashpspool,selfmanaged_snaps"), plain);
        assert_eq!(read("hashpspool,nearfull"), PoolCapacity { nearfull: true, ..plain.clone() });
        assert_eq!(read("full,hashpspool"), PoolCapacity { nearfull: true, full: Some(FullBecause::Osd), ..plain.clone() });
        assert_eq!(read("full,full_quota").full, Some(FullBecause::Quota));
    }

    #[test]
    fn a_quota_leaves_less_room() {
        let room = |quota| accounts("", quota).capacity("vms").unwrap().max_avail_bytes;
        assert_eq!((room(0), room(100), room(6), room(5), room(1)), (7, 7, 1, 0, 0));
    }

    #[test]
    fn a_pool_that_is_not_there_has_no_account() {
        let accounts = accounts("", 0);
        assert_eq!(accounts.capacity("other"), None);
        assert_eq!(accounts.state("other".into()).capacity, None);
        let state = accounts.state("vms".into());
        assert_eq!((state.size, state.min_size, state.applications), (3, 2, vec!["rbd".to_owned()]));
    }
}

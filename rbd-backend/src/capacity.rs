//! Pools: made ready for images or objects, and how much room they have.

use crate::cluster::Cluster;
use crate::error::{Attempt, Effect, Error, Reason};
use crate::monitor::{self, Answer};
use crate::sys::errno::Errno;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// What a pool is for, told to Ceph as its application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolUse {
    /// Images: application `rbd`, and librbd's own object in it.
    Images,
    /// RADOS objects of this application.
    Objects(String),
}

/// One pool's account. `max_avail_bytes` is after replication, of the fullest OSD, as Ceph counts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolCapacity {
    pub max_avail_bytes: u64,
    pub stored_bytes: u64,
    /// Writes are refused or wait: an OSD of the pool, or its quota, is full.
    pub full: bool,
    pub nearfull: bool,
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
                PoolUse::Images => context.initialize_for_images().map_err(ceph),
                PoolUse::Objects(application) => context.enable_application(&application).map_err(ceph),
            }
        })
        .await
    }

    pub async fn pool_capacity(&self, pool: &str) -> Result<PoolCapacity, Error> {
        let pool: Arc<str> = pool.into();
        self.call(attempt("read capacity", Effect::Read, &pool), move |inner, attempt| {
            let usage = json!({"prefix": "df", "format": "json"});
            let usage: Usage = monitor::query(inner, attempt, &usage, Answer::Plain)?;
            let details = json!({"prefix": "osd pool ls", "detail": "detail", "format": "json"});
            let details: Vec<PoolDetail> = monitor::query(inner, attempt, &details, Answer::Plain)?;
            capacity_of(&pool, usage, details).ok_or_else(|| attempt.error(Reason::NoPool))
        })
        .await
    }
}

fn attempt(action: &'static str, effect: Effect, pool: &Arc<str>) -> Attempt {
    Attempt { pool: Some(Arc::clone(pool)), ..Attempt::on_cluster(action, effect) }
}

fn capacity_of(pool: &str, usage: Usage, details: Vec<PoolDetail>) -> Option<PoolCapacity> {
    let detail = details.into_iter().find(|detail| detail.pool_name == pool)?;
    let has = |wanted: &[&str]| detail.flags_names.split(',').any(|flag| wanted.contains(&flag));
    // A pool that has just been made has no usage yet: no room is known, none is promised.
    let stats = usage.pools.into_iter().find(|usage| usage.name == pool).map(|usage| usage.stats);
    let stats = stats.unwrap_or(UsageStats { stored: 0, max_avail: 0 });
    Some(PoolCapacity {
        max_avail_bytes: stats.max_avail,
        stored_bytes: stats.stored,
        full: has(&["full", "full_quota"]),
        nearfull: has(&["nearfull", "backfillfull", "full", "full_quota"]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage() -> Usage {
        serde_json::from_str(r#"{"pools":[{"name":"vms","id":1,"stats":{"stored":5,"max_avail":7,"objects":1}}]}"#).unwrap()
    }

    fn detail(flags: &str) -> Vec<PoolDetail> {
        vec![PoolDetail { pool_name: "vms".into(), flags_names: flags.into() }]
    }

    #[test]
    fn flags_are_whole_words() {
        let read = |flags| capacity_of("vms", usage(), detail(flags)).unwrap();
        let plain = PoolCapacity { max_avail_bytes: 7, stored_bytes: 5, full: false, nearfull: false };
        assert_eq!(read("hashpspool,selfmanaged_snaps"), plain);
        assert_eq!(read("hashpspool,nearfull"), PoolCapacity { nearfull: true, ..plain.clone() });
        assert_eq!(read("full,hashpspool"), PoolCapacity { nearfull: true, full: true, ..plain });
    }

    #[test]
    fn a_pool_that_is_not_there_has_no_account() {
        assert_eq!(capacity_of("other", usage(), detail("")), None);
    }
}

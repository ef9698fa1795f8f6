//! Where OSDs stand and which of them serve what: the CRUSH map, and the placement groups' mappings.
//!
//! Both are large on a large cluster, so whoever follows them looks at the OSD map's epoch first, which is
//! one small answer of a monitor.

use crate::cluster::Cluster;
use crate::error::{Attempt, Effect, Error};
use crate::monitor::{self, Answer};
use cuttle_model::crush::{CrushBucket, CrushMap, PgServers, Redundancy};
use serde::Deserialize;
use serde_json::json;

/// The CRUSH map, all pools' mappings, and which pool is which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    pub map: CrushMap,
    pub pools: Vec<PoolLayout>,
    pub pgs: Vec<PgServers>,
}

/// A pool, as its number stands in placement groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolLayout {
    pub id: i64,
    pub name: String,
    pub redundancy: Redundancy,
}

#[derive(Deserialize)]
struct RawStat {
    epoch: u64,
}

#[derive(Deserialize)]
struct RawMap {
    types: Vec<RawType>,
    buckets: Vec<RawBucket>,
}

#[derive(Deserialize)]
struct RawType {
    type_id: u32,
    name: String,
}

#[derive(Deserialize)]
struct RawBucket {
    id: i64,
    name: String,
    type_id: u32,
    items: Vec<RawItem>,
}

#[derive(Deserialize)]
struct RawItem {
    id: i64,
}

#[derive(Deserialize)]
struct RawPool {
    pool_id: i64,
    pool_name: String,
    r#type: u8,
}

#[derive(Deserialize)]
struct RawPgs {
    pg_stats: Vec<RawPg>,
}

#[derive(Deserialize)]
struct RawPg {
    pgid: String,
    acting: Vec<i64>,
    acting_primary: i64,
}

/// `pg_pool_t`'s number of pools whose OSDs have a part each.
const ERASURE: u8 = 3;
/// What stands in an erasure-coded placement group where an OSD is missing.
const NO_OSD: i64 = 0x7fff_ffff;

impl Cluster {
    /// The OSD map's epoch: it counts up with each change of what follows from it.
    pub async fn osd_map_epoch(&self) -> Result<u64, Error> {
        self.call(Attempt::on_cluster("read the OSD map's epoch", Effect::Read), |inner, attempt| {
            let request = json!({"prefix": "osd stat", "format": "json"});
            Ok(monitor::query::<RawStat>(inner, attempt, &request, Answer::Plain)?.epoch)
        })
        .await
    }

    /// Who serves what, and where it stands, as the monitors and the manager have it now. The manager learns of a
    /// change a few seconds after the monitors.
    pub async fn layout(&self) -> Result<Layout, Error> {
        self.call(Attempt::on_cluster("read the placement groups' mappings", Effect::Read), |inner, attempt| {
            let ask = |prefix: &str| json!({"prefix": prefix, "format": "json"});
            let map: RawMap = monitor::query(inner, attempt, &ask("osd crush dump"), Answer::Plain)?;
            let pools = json!({"prefix": "osd pool ls", "detail": "detail", "format": "json"});
            let pools: Vec<RawPool> = monitor::query(inner, attempt, &pools, Answer::Plain)?;
            let pgs = json!({"prefix": "pg dump", "dumpcontents": ["pgs_brief"], "format": "json"});
            let pgs: RawPgs = monitor::query(inner, attempt, &pgs, Answer::Plain)?;
            layout_of(map, pools, pgs).ok_or_else(|| attempt.broken("a placement group's name is not understood"))
        })
        .await
    }
}

fn layout_of(map: RawMap, pools: Vec<RawPool>, pgs: RawPgs) -> Option<Layout> {
    let bucket = |bucket: RawBucket| CrushBucket {
        id: bucket.id,
        name: bucket.name,
        level: bucket.type_id,
        items: bucket.items.into_iter().map(|item| item.id).collect(),
    };
    let pool = |pool: RawPool| PoolLayout {
        id: pool.pool_id,
        name: pool.pool_name,
        redundancy: if pool.r#type == ERASURE { Redundancy::Erasure } else { Redundancy::Replicas },
    };
    let is_osd = |osd: &i64| (0..NO_OSD).contains(osd);
    let pg = |pg: RawPg| {
        Some(PgServers {
            pool_id: pg.pgid.split_once('.')?.0.parse().ok()?,
            acting: pg.acting.into_iter().filter(is_osd).collect(),
            primary: Some(pg.acting_primary).filter(is_osd),
        })
    };
    Some(Layout {
        map: CrushMap {
            levels: map.types.into_iter().map(|level| (level.type_id, level.name)).collect(),
            buckets: map.buckets.into_iter().map(bucket).collect(),
        },
        pools: pools.into_iter().map(pool).collect(),
        pgs: pgs.pg_stats.into_iter().map(pg).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_and_lost_primaries_are_no_osds() {
        let map = r#"{"devices":[],"types":[{"type_id":0,"name":"osd"},{"type_id":1,"name":"host"}],"buckets":[
            {"id":-1,"name":"a","type_id":1,"type_name":"host","weight":1,"alg":"straw2","items":[{"id":0,"weight":1,"pos":0}]}]}"#;
        let pools = r#"[{"pool_id":3,"pool_name":"vms","type":1},{"pool_id":4,"pool_name":"ec","type":3}]"#;
        let pgs = r#"{"pg_ready":true,"pg_stats":[
            {"pgid":"3.1f","state":"active","up":[0],"acting":[1,0],"up_primary":0,"acting_primary":1},
            {"pgid":"4.0","state":"down","up":[],"acting":[2147483647,2],"up_primary":-1,"acting_primary":-1}]}"#;
        let read = |text| serde_json::from_str(text).unwrap();
        let found = layout_of(read(map), serde_json::from_str(pools).unwrap(), serde_json::from_str(pgs).unwrap()).unwrap();
        assert_eq!(found.map.buckets[0].items, [0]);
        assert_eq!(found.pools[1].redundancy, Redundancy::Erasure);
        let expected = [
            PgServers { pool_id: 3, acting: vec![1, 0], primary: Some(1) },
            PgServers { pool_id: 4, acting: vec![2], primary: None },
        ];
        assert_eq!(found.pgs, expected);
    }
}

//! The pools in Ceph. One that exists keeps its shape and gets its use.

use cuttle_operations::Settings;
use cuttle_rbd_backend::{Cluster, PoolUse};
use futures::future::try_join_all;

use crate::init::InitError;

/// Makes the pools that are missing, and says which.
pub async fn make(ceph: &Cluster, settings: &Settings, pg_num: u32) -> Result<Vec<String>, InitError> {
    let wanted = [
        (&settings.images_pool, PoolUse::Images),
        (&settings.vms_pool, PoolUse::Images),
        (&settings.volumes_pool, PoolUse::Images),
        (&settings.lease_pool, PoolUse::Objects("cuttle".into())),
    ];
    let listed = ceph.list_pools().await;
    let known = listed.map_err(|source| InitError::Pool { pool: "(any)".into(), source })?;
    // Side by side: each waits for several rounds of the monitors, a second each.
    let known = &known;
    let making = wanted.into_iter().map(|(name, pool_use)| async move {
        let ready = ceph.create_pool_sized(name, pool_use, Some(pg_num)).await;
        ready.map_err(|source| InitError::Pool { pool: name.clone(), source })?;
        let done = if known.contains(name) { "kept" } else { "made" };
        Ok(format!("{done} the pool {name}"))
    });
    try_join_all(making).await
}

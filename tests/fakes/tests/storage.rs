//! The cluster in memory keeps the contract of storage.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::future::Future;
use std::sync::Arc;

use cuttle_fakes::MemoryCluster;
use cuttle_fakes::contract::storage::Place;
use cuttle_rbd_backend::{Connect, PoolUse};

async fn with_place<F, Fut>(part: F)
where
    F: FnOnce(Place) -> Fut,
    Fut: Future<Output = ()>,
{
    let cluster = MemoryCluster::default();
    let storage = cluster.connect().await.unwrap();
    storage.create_pool("test", PoolUse::Images).await.unwrap();
    let pool = storage.pool("test");
    part(Place { storage, pool, prefix: "test".to_owned(), cluster: Arc::new(cluster) }).await;
}

cuttle_fakes::storage_contract!(with_place);

//! The connection itself, pools and their capacity.

use crate::support::{ceph, connect, unique, until_idle};
use cuttle_rbd_backend::{Class, PoolUse};

#[tokio::test]
async fn a_connection_knows_its_cluster_and_itself() {
    let cluster = connect().await;
    assert_eq!(cluster.fsid().to_string(), ceph(&["fsid"]).trim());
    assert_eq!(cluster.client_name(), "client.admin");

    let monitors = cluster.monitors().await.unwrap();
    assert!(!monitors.is_empty());
    assert!(monitors.iter().all(|monitor| monitor.host.parse::<std::net::IpAddr>().is_ok() && monitor.port > 0));
    let dump = ceph(&["mon", "dump"]);
    for monitor in &monitors {
        let shown = format!("{}:{}:{}/", monitor.protocol, monitor.host, monitor.port);
        assert!(dump.contains(&shown), "{shown} is not in {dump}");
    }

    let addresses = cluster.addresses().await.unwrap();
    assert_eq!(addresses.len(), 1, "{addresses:?}");
    let (socket, nonce) = addresses[0].split_once('/').unwrap();
    socket.parse::<std::net::SocketAddr>().unwrap();
    nonce.parse::<u32>().unwrap();
    until_idle(&cluster).await;
}

#[tokio::test]
async fn shutdown_waits_for_the_last_handle_only() {
    let cluster = connect().await;
    let other = cluster.clone();
    drop(other);
    cluster.shutdown().await.unwrap();

    let cluster = connect().await;
    let held = cluster.pool("any");
    let waiting = cluster.with_timeout(std::time::Duration::from_millis(50));
    drop(cluster);
    assert_eq!(waiting.shutdown().await.unwrap_err().class(), Class::Retry);
    assert!(held.cluster().list_pools().await.is_ok());
}

#[tokio::test]
async fn pools_are_made_once_and_counted() {
    let cluster = connect().await;
    let (images, objects) = (unique("pool-images"), unique("pool-objects"));
    for _ in 0..2 {
        cluster.create_pool(&images, PoolUse::Images).await.unwrap();
        cluster.create_pool(&objects, PoolUse::Objects("cuttle".into())).await.unwrap();
    }
    let pools = cluster.list_pools().await.unwrap();
    assert!(pools.contains(&images) && pools.contains(&objects));
    let application = |pool: &str| ceph(&["osd", "pool", "application", "get", pool, "-f", "json"]);
    assert!(application(&images).contains("rbd"));
    assert!(application(&objects).contains("cuttle"));

    let mut capacity = cluster.pool_capacity(&images).await.unwrap();
    for _ in 0..100 {
        if capacity.max_avail_bytes > 0 {
            break;
        }
        // Usage of a new pool comes with the manager's next report.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        capacity = cluster.pool_capacity(&images).await.unwrap();
    }
    assert!(capacity.max_avail_bytes > 0 && capacity.full.is_none() && !capacity.nearfull, "{capacity:?}");

    // A pool that is deleted and made again under its name is found again.
    let pool = cluster.pool(&images);
    pool.create_image("first", 1 << 20, &Default::default()).await.unwrap();
    remove(&images);
    assert!(pool.info("first").await.unwrap_err().to_string().contains("no such pool"));
    cluster.create_pool(&images, PoolUse::Images).await.unwrap();
    assert_eq!(pool.info("first").await.unwrap(), None);
    pool.create_image("second", 1 << 20, &Default::default()).await.unwrap();

    let gone = cluster.pool_capacity("no-such-pool").await.unwrap_err();
    assert_eq!(gone.to_string(), "cannot read capacity in pool no-such-pool: there is no such pool");
    remove(&images);
    remove(&objects);
}

fn remove(pool: &str) {
    ceph(&["osd", "pool", "rm", pool, pool, "--yes-i-really-really-mean-it"]);
}

#[tokio::test]
async fn a_full_pool_says_so() {
    let cluster = connect().await;
    let pool = unique("pool-full");
    cluster.create_pool(&pool, PoolUse::Images).await.unwrap();
    ceph(&["osd", "pool", "set-quota", &pool, "max_objects", "1"]);
    let images = cluster.pool(&pool);
    let mut full = false;
    for _ in 0..100 {
        if cluster.pool_capacity(&pool).await.unwrap().full.is_some() {
            full = true;
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let images = images.with_timeout(std::time::Duration::from_secs(5));
    let refused = images.create_image("x", 1 << 20, &Default::default()).await;
    remove(&pool);
    assert!(full, "the quota of one object did not fill the pool");
    let error = refused.unwrap_err();
    assert!(error.class() == Class::Refused && error.to_string().contains("quota"), "{error}");
}

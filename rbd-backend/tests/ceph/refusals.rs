//! What is not there: pools, configuration, monitors. Each says so by name.

use crate::support::{admin, conf, connect, metadata};
use cuttle_rbd_backend::{Class, Cluster, ClusterConfig, KeySource, Limits, Reason, WriterOptions};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_pool_that_is_not_there_is_named_by_every_kind_of_call() {
    let pool = connect().await.pool("no-such-pool");
    let errors = [
        pool.create_image("x", 1 << 20, &metadata(&[])).await.unwrap_err(),
        pool.info("x").await.unwrap_err(),
        pool.list_images().await.unwrap_err(),
        pool.trash_list().await.unwrap_err(),
        pool.watchers("x").await.unwrap_err(),
        pool.trash_move("x", Duration::ZERO).await.unwrap_err(),
        pool.open_writer("x", WriterOptions::default()).await.err().unwrap(),
    ];
    for error in errors {
        assert_eq!(error.class(), Class::Broken, "{error}");
        assert!(matches!(error.reason(), Reason::NoPool) && error.to_string().contains("no-such-pool"), "{error}");
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_is_named() {
    let config = ClusterConfig { conf_file: Some("/no/such/ceph.conf".into()), ..admin() };
    let error = Cluster::connect(config, Limits::default()).await.err().unwrap();
    assert_eq!(error.class(), Class::Broken);
    assert!(error.to_string().contains("/no/such/ceph.conf"), "{error}");
}

#[tokio::test]
async fn monitors_that_do_not_answer_time_out() {
    // Reserved for documentation: nobody answers there.
    let config = ClusterConfig { monitors: Some("192.0.2.1:3300".into()), ..admin() };
    let limits = Limits { call_timeout: Duration::from_secs(1), ceph_timeout: Duration::from_secs(20), ..Limits::default() };
    let begun = Instant::now();
    let error = Cluster::connect(config, limits).await.err().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(error.class(), Class::Retry, "{error}");
    assert!(error.to_string().contains("client.admin"), "{error}");
}

#[tokio::test]
async fn monitors_and_keyring_alone_are_enough() {
    let cluster = connect().await;
    let hosts: Vec<_> = cluster
        .monitors()
        .await
        .unwrap()
        .iter()
        .map(|monitor| format!("{}:{}:{}", monitor.protocol, monitor.host, monitor.port))
        .collect();
    let text = std::fs::read_to_string(conf()).unwrap();
    let keyring = text.lines().find_map(|line| line.strip_prefix("keyring = ")).expect("the ceph.conf names its keyring");
    let config = ClusterConfig {
        conf_file: None,
        monitors: Some(format!("[{}]", hosts.join(","))),
        client_name: "client.admin".into(),
        key: KeySource::Keyring(keyring.trim().into()),
    };
    let other = Cluster::connect(config, Limits::default()).await.unwrap();
    assert_eq!(other.fsid(), cluster.fsid());
}

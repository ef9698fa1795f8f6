//! The end of hosts, and the generations of their cephx identities.

use cuttle_database::{Generations, HostRemoval, Insertion, Written};
use cuttle_model::client::ClientProof;
use cuttle_model::ids::Epoch;
use cuttle_model::instance::InstanceState;

use crate::lab::Lab;
use crate::rows;

#[tokio::test]
async fn a_host_with_instances_stays_and_says_which() {
    let lab = Lab::new().await;
    let database = &lab.database;
    let host = rows::insert_host(database, "host1").await;
    let new = rows::placed(host.id, 4);
    let id = new.instance.id;
    assert_eq!(database.insert_instance(&new).await.unwrap(), Insertion::Inserted);
    let in_use = HostRemoval::InUse { instances: vec![(id, new.instance.name.clone())], count: 1 };
    assert_eq!(database.begin_host_removal(host.id).await.unwrap(), in_use);
    assert_eq!(database.delete_host(host.id).await.unwrap(), in_use);
    assert_eq!(database.get_host(host.id).await.unwrap(), Some(host.clone()), "a refusal changes nothing");
    assert_eq!(database.begin_host_removal(rows::host("host9").id).await.unwrap(), HostRemoval::NoSuchHost);

    // Deleted, but a client of it may still write.
    let mut instance = database.get_instance(id).await.unwrap().unwrap();
    database.begin_epoch(id, instance.epoch, host.id).await.unwrap().unwrap();
    database.allow_running(id, Epoch(1), &[rows::client(id, 1, host.id, "a:0/1")]).await.unwrap();
    instance = database.get_instance(id).await.unwrap().unwrap();
    instance.state = InstanceState::Deleted;
    instance.task = None;
    assert_eq!(database.update_instance(&instance, None).await.unwrap(), Written::Done);
    lab.execute("DELETE FROM claims").await;
    assert_eq!(database.begin_host_removal(host.id).await.unwrap(), in_use);
    database.close_clients(id, Epoch(1), ClientProof::Gone, rows::at(5)).await.unwrap();
    database.insert_command(host.id, &rows::command(id, 1, cuttle_compute_protocol::Action::ResumeGuest)).await.unwrap();

    assert_eq!(database.begin_host_removal(host.id).await.unwrap(), HostRemoval::Done);
    assert_eq!(database.insert_instance(&rows::placed(host.id, 4)).await.unwrap(), Insertion::HostFull, "it takes none any more");
    assert_eq!(database.begin_host_removal(host.id).await.unwrap(), HostRemoval::Done, "again");
    assert_eq!(database.delete_host(host.id).await.unwrap(), HostRemoval::Done);
    assert_eq!(database.delete_host(host.id).await.unwrap(), HostRemoval::NoSuchHost);
    assert_eq!(database.get_host(host.id).await.unwrap(), None);
    assert_eq!(database.get_instance(id).await.unwrap().unwrap().host_id, None);

    let again = rows::insert_host(database, "host1").await;
    let generations = database.ceph_generations(again.id).await.unwrap().unwrap();
    assert_eq!((generations.oldest, generations.newest), (3, 3), "no identity of the earlier host is revived");
}

#[tokio::test]
async fn generations_follow_one_another() {
    let lab = Lab::new().await;
    let database = &lab.database;
    let host = rows::insert_host(database, "host1").await;
    let now = async || database.ceph_generations(host.id).await.unwrap().unwrap();
    assert_eq!(now().await, Generations { oldest: 1, newest: 1, shared: None });
    assert!(database.begin_ceph_generation(host.id, 2).await.unwrap());
    assert!(!database.begin_ceph_generation(host.id, 2).await.unwrap(), "of two at once one begins it");
    assert!(!database.begin_ceph_generation(host.id, 4).await.unwrap());
    assert_eq!(database.hosts_with_old_keys().await.unwrap(), [host.id]);
    database.end_ceph_generations(host.id, 3).await.unwrap();
    assert_eq!(now().await, Generations { oldest: 1, newest: 2, shared: None }, "the newest never ends");
    database.end_ceph_generations(host.id, 2).await.unwrap();
    database.end_ceph_generations(host.id, 1).await.unwrap();
    database.set_shared_ceph_client(host.id, Some("client.nova")).await.unwrap();
    assert_eq!(now().await, Generations { oldest: 2, newest: 2, shared: Some("client.nova".to_owned()) });
    assert!(database.hosts_with_old_keys().await.unwrap().is_empty());
    assert!(!database.host_is_busy(host.id).await.unwrap());
    assert_eq!(database.ceph_generations(rows::host("host9").id).await.unwrap(), None);
}

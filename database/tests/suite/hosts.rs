//! Hosts.

use cuttle_database::Inserted;
use cuttle_model::host::{Administrative, Host};

use crate::lab::Lab;
use crate::rows;

#[tokio::test]
async fn a_host_is_known_by_id_and_name() {
    let lab = Lab::new().await;
    let host = rows::host("host1");
    assert_eq!(lab.database.insert_host(&host).await.unwrap(), Inserted::Inserted);
    assert_eq!(lab.database.insert_host(&host).await.unwrap(), Inserted::SameId);
    assert_eq!(lab.database.insert_host(&rows::host("host1")).await.unwrap(), Inserted::SameName);
    assert_eq!(lab.database.get_host(host.id).await.unwrap(), Some(host.clone()));
    assert_eq!(lab.database.find_host(&host.name).await.unwrap(), Some(host));
}

#[tokio::test]
async fn an_older_time_never_replaces_a_newer_one() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let quiet = rows::insert_host(&lab.database, "host2").await;
    let seen = async || lab.database.get_host(host.id).await.unwrap().unwrap().last_seen_at;
    lab.database.record_hello(host.id, "boot", &rows::resources(), rows::at(5)).await.unwrap();
    assert_eq!(seen().await, Some(rows::at(5)));
    lab.database.record_beats(&[(host.id, rows::at(4)), (rows::host("host3").id, rows::at(9))]).await.unwrap();
    assert_eq!(seen().await, Some(rows::at(5)));
    lab.database.record_beats(&[(host.id, rows::at(7)), (quiet.id, rows::at(6)), (host.id, rows::at(6))]).await.unwrap();
    assert_eq!(seen().await, Some(rows::at(7)));
    lab.database.record_hello(host.id, "boot", &rows::resources(), rows::at(6)).await.unwrap();
    assert_eq!(seen().await, Some(rows::at(7)));
    lab.database.record_beats(&[]).await.unwrap();
    assert_eq!(lab.database.get_host(quiet.id).await.unwrap().unwrap().last_seen_at, Some(rows::at(6)));
}

#[tokio::test]
async fn a_host_is_a_candidate_once_it_said_hello() {
    let lab = Lab::new().await;
    let said = rows::insert_host(&lab.database, "host2").await;
    rows::insert_host(&lab.database, "host1").await;
    lab.database.record_hello(said.id, "boot", &rows::resources(), rows::at(1)).await.unwrap();
    for _ in 0..2 {
        lab.database.insert_instance(&rows::placed(said.id, 4)).await.unwrap();
    }
    let candidates = lab.database.candidates().await.unwrap();
    assert_eq!(candidates.len(), 1);
    assert_eq!((candidates[0].usage.instances, candidates[0].usage.vcpus, candidates[0].usage.ram_mib), (2, 2, 128));
    let expected = Host {
        resources: Some(rows::resources()),
        boot_id: Some("boot".to_owned()),
        last_seen_at: Some(rows::at(1)),
        ..said.clone()
    };
    assert_eq!(candidates[0].host, expected);
    let with_usage = lab.database.list_hosts_with_usage().await.unwrap();
    let seen: Vec<_> = with_usage.iter().map(|found| (found.host.name.as_str(), found.usage.instances)).collect();
    assert_eq!(seen, [("host1", 0), ("host2", 2)]);
    assert_eq!(lab.database.find_host_with_usage(&said.name).await.unwrap().as_ref(), Some(&candidates[0]));
    assert_eq!(lab.database.find_host_with_usage(&rows::host("host9").name).await.unwrap(), None);
    let names: Vec<_> = lab.database.list_hosts().await.unwrap().into_iter().map(|host| host.name.to_string()).collect();
    assert_eq!(names, ["host1", "host2"]);

    let disabled = Administrative::Disabled { reason: None };
    assert!(lab.database.set_administrative(said.id, &disabled).await.unwrap());
    assert_eq!(lab.database.get_host(said.id).await.unwrap().unwrap().administrative, disabled);
    assert!(!lab.database.set_administrative(rows::host("host9").id, &disabled).await.unwrap());
}

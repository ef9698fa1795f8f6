//! Where hosts stand, and how well they reach storage.

use cuttle_model::crush::CrushLocation;
use cuttle_model::storage_health::{Latency, PathState, PoolHealth, StorageHealth};

use crate::lab::Lab;
use crate::rows;

fn health(state: PathState, quality: u32) -> StorageHealth {
    let read = Some(Latency { p50_us: 900, p99_us: 4000, samples: 30 });
    let pool = PoolHealth { pool: "images".into(), read, write: None, failed: 0, unanswered_ms: 0, problem: None };
    StorageHealth { state, since: rows::at(1), quality, crush_location: "rack=r".parse().ok(), pools: vec![pool] }
}

#[tokio::test]
async fn what_an_agent_says_of_storage_is_kept_and_the_newest_counts() {
    let lab = Lab::new().await;
    let database = &lab.database;
    let (said, quiet) = (rows::insert_host(database, "host1").await, rows::insert_host(database, "host2").await);
    for host in [&said, &quiet] {
        database.record_hello(host.id, "boot", &rows::resources(), rows::at(1)).await.unwrap();
    }
    let location: CrushLocation = "root=default rack=rack1".parse().unwrap();
    database.record_standing(said.id, Some(&location), true).await.unwrap();
    let quality = async || {
        let candidates = database.candidates().await.unwrap();
        candidates.into_iter().map(|candidate| candidate.storage_quality).collect::<Vec<_>>()
    };
    assert_eq!(quality().await, [None, None]);

    let reports = [(said.id, health(PathState::Slow, 400), rows::at(5)), (quiet.id, health(PathState::Good, 1000), rows::at(5))];
    database.record_storage_health(&reports).await.unwrap();
    database.record_storage_health(&[(said.id, health(PathState::Good, 1000), rows::at(4))]).await.unwrap();
    database.record_storage_health(&[]).await.unwrap();
    assert_eq!(quality().await, [Some(400), None], "of a host that never said where it stands nothing is kept");
    let found = database.get_host_storage(said.id).await.unwrap().unwrap();
    assert_eq!(
        (found.standing.said.as_ref(), found.standing.localizes_reads, found.reported_at),
        (Some(&location), true, Some(rows::at(5)))
    );
    assert_eq!(found.health, Some(health(PathState::Slow, 400)));
    assert_eq!(database.get_host_storage(quiet.id).await.unwrap(), None);

    let counts = database.counts().await.unwrap();
    let slow = counts.iter().find(|count| count.what == "storage").unwrap();
    assert_eq!((slow.state.as_str(), slow.number), ("slow", 1));
    database.record_standing(said.id, None, false).await.unwrap();
    let standings = database.list_standings().await.unwrap();
    let [standing] = &standings[..] else { panic!("{standings:?}") };
    assert_eq!((standing.name.as_str(), standing.said.as_ref(), standing.localizes_reads), ("host1", None, false));
    let found = database.get_host_storage(said.id).await.unwrap().unwrap();
    assert_eq!(found.health, Some(health(PathState::Slow, 400)), "saying hello again forgets no measure");
    database.record_standing(rows::host("host9").id, None, true).await.unwrap();
    assert_eq!(database.list_standings().await.unwrap().len(), 1);

    assert!(matches!(database.delete_host(said.id).await.unwrap(), cuttle_database::HostRemoval::Done));
    assert_eq!(database.list_standings().await.unwrap(), []);
}

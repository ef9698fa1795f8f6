//! Epochs and the clients that may write in them.

use cuttle_model::client::ClientProof;
use cuttle_model::ids::Epoch;

use crate::lab::Lab;
use crate::rows;

#[tokio::test]
async fn an_epoch_begins_only_when_no_client_may_still_write() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let instance = rows::insert_instance(&lab.database).await;
    let begin = async |expected| lab.database.begin_epoch(instance.id, Epoch(expected), host.id).await.unwrap();
    assert_eq!(begin(0).await, Some(Epoch(1)));
    assert_eq!(begin(0).await, None, "an epoch begins once");
    let read = rows::get(&lab.database, &instance).await;
    assert_eq!((read.epoch, read.host_id, read.running_allowed), (Epoch(1), Some(host.id), None));
    assert_eq!(read.generation, instance.generation + 1, "older readers must not write it back");

    let clients = [rows::client(instance.id, 1, host.id, "a:0/1"), rows::client(instance.id, 1, host.id, "a:0/2")];
    assert!(lab.database.allow_running(instance.id, Epoch(1), &clients).await.unwrap());
    assert_eq!(lab.database.open_clients(instance.id).await.unwrap(), clients);
    assert_eq!(begin(1).await, None);
    lab.database.close_clients(instance.id, Epoch(0), ClientProof::Gone, rows::at(5)).await.unwrap();
    assert_eq!(begin(1).await, None);
    lab.database.close_clients(instance.id, Epoch(1), ClientProof::Fenced, rows::at(5)).await.unwrap();
    assert!(lab.database.open_clients(instance.id).await.unwrap().is_empty());
    assert_eq!(begin(1).await, Some(Epoch(2)));
    assert_eq!(rows::get(&lab.database, &instance).await.running_allowed, None);
}

#[tokio::test]
async fn a_guest_is_allowed_to_run_only_in_its_epoch_and_on_its_host() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let other = rows::insert_host(&lab.database, "host2").await;
    let instance = rows::insert_instance(&lab.database).await;
    lab.database.begin_epoch(instance.id, Epoch::NONE, host.id).await.unwrap().unwrap();
    let good = rows::client(instance.id, 1, host.id, "a:0/1");
    let elsewhere = rows::client(instance.id, 1, other.id, "a:0/1");
    let older = rows::client(instance.id, 0, host.id, "a:0/1");
    for (epoch, clients) in
        [(0, vec![older.clone()]), (1, vec![older]), (1, vec![elsewhere.clone()]), (1, vec![good.clone(), elsewhere])]
    {
        assert!(!lab.database.allow_running(instance.id, Epoch(epoch), &clients).await.unwrap());
    }
    assert!(lab.database.open_clients(instance.id).await.unwrap().is_empty());

    assert!(lab.database.allow_running(instance.id, Epoch(1), std::slice::from_ref(&good)).await.unwrap());
    let allowed = rows::get(&lab.database, &instance).await;
    assert_eq!(allowed.running_allowed, Some(Epoch(1)));
    assert!(lab.database.allow_running(instance.id, Epoch(1), std::slice::from_ref(&good)).await.unwrap());
    assert_eq!(rows::get(&lab.database, &instance).await, allowed, "again changes nothing");
    assert_eq!(lab.database.open_clients(instance.id).await.unwrap(), [good]);
}

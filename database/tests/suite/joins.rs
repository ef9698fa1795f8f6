//! Tokens to join with, certificates, and events of hosts.

use cuttle_database::{Certificate, Database, Joining, NewJoinToken};
use cuttle_model::host_event::{HostEvent, HostEventKind};

use crate::lab::Lab;
use crate::rows;

fn token(number: u8, expires_at: i64) -> NewJoinToken {
    NewJoinToken { token_sha256: [number; 32], created_at: rows::at(0), expires_at: rows::at(expires_at) }
}

fn certificate(number: u8, issued_at: i64) -> Certificate {
    Certificate { sha256: [number; 32], issued_at: rows::at(issued_at), expires_at: rows::at(issued_at + 100) }
}

fn joining(key: u8, number: u8, at: i64) -> Joining {
    Joining { public_key_sha256: [key; 32], from: format!("10.0.0.{key}"), certificate: certificate(number, at) }
}

async fn shows(database: &Database, number: u8, at: i64) -> Option<String> {
    database.authenticate_host(&[number; 32], rows::at(at)).await.unwrap().map(|host| host.name.to_string())
}

#[tokio::test]
async fn a_token_works_once_and_again_only_for_the_same_key() {
    let lab = Lab::new().await;
    let database = &lab.database;
    let host = rows::insert_host(database, "host1").await;
    database.insert_join_token(host.id, &token(1, 50)).await.unwrap();
    assert_eq!(database.find_join_token(&[9; 32]).await.unwrap(), None);
    assert!(!database.use_join_token(&[9; 32], &joining(1, 1, 10)).await.unwrap(), "a token that nobody made");
    assert_eq!(database.find_join_token(&[1; 32]).await.unwrap().unwrap().used_at, None);
    assert_eq!(database.certificate_expiry(host.id).await.unwrap(), None);

    assert!(database.use_join_token(&[1; 32], &joining(1, 1, 10)).await.unwrap());
    assert_eq!(shows(database, 1, 10).await.as_deref(), Some("host1"));
    assert_eq!(database.certificate_expiry(host.id).await.unwrap(), Some(rows::at(110)));
    assert!(!database.use_join_token(&[1; 32], &joining(2, 2, 11)).await.unwrap(), "stolen");
    assert_eq!(shows(database, 2, 11).await, None);
    assert!(database.use_join_token(&[1; 32], &joining(1, 3, 12)).await.unwrap(), "the answer was lost");
    assert_eq!((shows(database, 1, 12).await, shows(database, 3, 12).await.as_deref()), (None, Some("host1")));
    let found = database.find_join_token(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((found.host, found.used_at, found.used_from.as_deref()), (host.clone(), Some(rows::at(12)), Some("10.0.0.1")));
    assert!(!database.use_join_token(&[1; 32], &joining(1, 4, 50)).await.unwrap(), "too late");
    assert_eq!(shows(database, 3, 111).await.as_deref(), Some("host1"));
    assert_eq!(shows(database, 3, 112).await, None, "the certificate has expired");
}

#[tokio::test]
async fn of_many_that_use_a_token_at_once_one_wins() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    lab.database.insert_join_token(host.id, &token(1, 50)).await.unwrap();
    let attempts = (1..=8).map(|number| {
        let database = lab.database.clone();
        tokio::spawn(async move { database.use_join_token(&[1; 32], &joining(number, number, 10)).await.unwrap() })
    });
    let won = futures::future::join_all(attempts).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    assert_eq!(won, 1);
    let mut honoured = 0;
    for number in 1..=8 {
        honoured += usize::from(shows(&lab.database, number, 10).await.is_some());
    }
    assert_eq!(honoured, 1);
}

#[tokio::test]
async fn a_new_token_makes_unused_ones_void_and_joining_again_makes_certificates_void() {
    let lab = Lab::new().await;
    let database = &lab.database;
    let host = rows::insert_host(database, "host1").await;
    database.insert_join_token(host.id, &token(1, 50)).await.unwrap();
    database.insert_join_token(host.id, &token(2, 60)).await.unwrap();
    assert!(!database.use_join_token(&[1; 32], &joining(1, 1, 10)).await.unwrap());
    assert!(database.use_join_token(&[2; 32], &joining(1, 1, 10)).await.unwrap());
    database.insert_join_token(host.id, &token(3, 60)).await.unwrap();
    assert_eq!(shows(database, 1, 10).await.as_deref(), Some("host1"), "until the new token is used");
    assert!(database.use_join_token(&[3; 32], &joining(2, 2, 11)).await.unwrap());
    assert_eq!((shows(database, 1, 11).await, shows(database, 2, 11).await.as_deref()), (None, Some("host1")));
    assert_eq!(database.purge_join_tokens(rows::at(60)).await.unwrap(), 0);
    assert_eq!(database.purge_join_tokens(rows::at(61)).await.unwrap(), 2);
}

#[tokio::test]
async fn the_next_certificate_stands_beside_the_shown_one_until_it_is_shown() {
    let lab = Lab::new().await;
    let database = &lab.database;
    let host = rows::insert_host(database, "host1").await;
    database.insert_join_token(host.id, &token(1, 50)).await.unwrap();
    database.use_join_token(&[1; 32], &joining(1, 1, 10)).await.unwrap();
    assert!(!database.insert_certificate(host.id, &[7; 32], &certificate(2, 20)).await.unwrap(), "nobody shows that one");
    for next in [2, 3] {
        // The second time because the answer to the first was lost.
        assert!(database.insert_certificate(host.id, &[1; 32], &certificate(next, 20)).await.unwrap());
    }
    let honoured =
        async || [shows(database, 1, 20).await, shows(database, 2, 20).await, shows(database, 3, 20).await].map(|h| h.is_some());
    assert_eq!(honoured().await, [true, false, true]);
    database.keep_certificate(host.id, &[3; 32]).await.unwrap();
    assert_eq!(honoured().await, [false, false, true]);
}

#[tokio::test]
async fn events_are_told_once_and_the_newest_first() {
    let lab = Lab::new().await;
    let host = rows::insert_host(&lab.database, "host1").await;
    let event = |at, kind| HostEvent { id: rows::uuid(), at: rows::at(at), kind, message: format!("at {at}") };
    let (first, second) = (event(1, HostEventKind::Joined), event(2, HostEventKind::SecretHealed));
    for event in [&first, &second, &first] {
        lab.database.insert_host_event(host.id, event).await.unwrap();
    }
    lab.database.insert_host_event(rows::host("host2").id, &event(3, HostEventKind::Joined)).await.unwrap();
    assert_eq!(lab.database.list_host_events(host.id, 10).await.unwrap(), [second.clone(), first]);
    assert_eq!(lab.database.list_host_events(host.id, 1).await.unwrap(), [second]);
}

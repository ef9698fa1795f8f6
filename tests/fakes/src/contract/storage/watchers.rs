//! Watchers: who they are, where they are, and that looking leaves no trace.

use super::{Place, metadata};
use cuttle_rbd_backend::{Class, ImageRef, WriterOptions};
use std::time::Duration;

const SIZE: u64 = 8 << 20;

pub async fn watchers_are_told_apart_and_named_by_their_addresses(place: Place) {
    let (pool, name) = (&place.pool, place.name("disk"));
    assert_eq!(pool.watchers(ImageRef::from(&name)).await.unwrap(), None);
    let info = pool.create_image(&name, SIZE, &metadata(&[])).await.unwrap();
    assert_eq!(pool.watchers(ImageRef::from(&name)).await.unwrap(), Some(Vec::new()));

    // Looking, and reading, take no watch.
    let reader = pool.open_reader(ImageRef::from(&name), None).await.unwrap().unwrap();
    assert_eq!(pool.watchers(ImageRef::from(&name)).await.unwrap(), Some(Vec::new()));
    drop(reader);

    let guest = place.connect().await;
    let theirs = guest.pool(pool.name()).open_writer(ImageRef::from(&name), WriterOptions::default()).await.unwrap();
    let ours = pool.open_writer(ImageRef::from(&name), WriterOptions::default()).await.unwrap();
    let seen = pool.watchers_by_id(&info.id).await.unwrap().unwrap();
    assert_eq!(seen.len(), 2, "{seen:?}");
    let (own, other): (Vec<_>, Vec<_>) = seen.iter().partition(|watcher| watcher.own);
    assert_eq!(own[0].address, place.storage.addresses().await.unwrap()[0]);
    assert_eq!(other[0].address, guest.addresses().await.unwrap()[0]);
    assert_eq!(seen, pool.watchers(ImageRef::id(&info.id)).await.unwrap().unwrap());
    assert_ne!(own[0].client_id, other[0].client_id);
    theirs.finish().await.unwrap();
    ours.finish().await.unwrap();
    assert_eq!(pool.watchers(ImageRef::from(&name)).await.unwrap(), Some(Vec::new()));
    assert_eq!(pool.watchers_by_id("nosuchid").await.unwrap(), None);
}

pub async fn a_dropped_writer_lets_go_of_its_watch(place: Place) {
    let (pool, name) = (&place.pool, place.name("disk"));
    pool.create_image(&name, SIZE, &metadata(&[])).await.unwrap();
    let writer = pool.open_writer(ImageRef::from(&name), WriterOptions::default()).await.unwrap();
    writer.write_at(0, vec![1u8; 1 << 20].into()).await.unwrap();
    drop(writer);
    for _ in 0..100 {
        if pool.watchers(ImageRef::from(&name)).await.unwrap().unwrap().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the dropped writer still watches after 5 s");
}

/// What a watcher's address is for: naming it to the blocklist cuts that client off, and it says so.
pub async fn a_client_fenced_by_its_address_is_told(place: Place) {
    let (pool, name) = (&place.pool, place.name("disk"));
    pool.create_image(&name, SIZE, &metadata(&[])).await.unwrap();
    let guest = place.connect().await;
    let guest_pool = guest.pool(pool.name());
    let writer = guest_pool.open_writer(ImageRef::from(&name), WriterOptions::default()).await.unwrap();
    let address = pool.watchers(ImageRef::from(&name)).await.unwrap().unwrap()[0].address.clone();
    for _ in 0..2 {
        place.storage.fence(std::slice::from_ref(&address), Duration::from_secs(60)).await.unwrap();
    }
    let mut refused = None;
    for _ in 0..300 {
        let written = writer.write_at(0, vec![1u8; 4096].into()).await;
        if let Err(error) = written {
            refused = Some(error);
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let listed = guest_pool.info(ImageRef::from(&name)).await;
    let error = refused.expect("a fenced client's write was accepted for 15 s");
    assert_eq!((error.class(), error.errno()), (Class::Broken, Some(108)), "{error}");
    assert!(error.to_string().contains("blocklist"), "{error}");
    let listed = listed.unwrap_err();
    assert!(listed.class() == Class::Broken && listed.is_fenced(), "{listed}");
    // Another one of the same machine is not.
    assert!(place.connect().await.pool(pool.name()).info(ImageRef::from(&name)).await.unwrap().is_some());
    drop(writer);
}

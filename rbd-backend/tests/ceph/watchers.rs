//! Watchers: who they are, where they are, and that looking leaves no trace.

use crate::support::{ceph, connect, metadata, rbd, with_place};
use cuttle_rbd_backend::{Class, ImageRef, WriterOptions};

const SIZE: u64 = 8 << 20;

#[tokio::test]
async fn watchers_are_told_apart_and_named_by_their_addresses() {
    with_place(|place| async move {
        let (pool, name) = (&place.pool, place.name("disk"));
        assert_eq!(pool.watchers(&name).await.unwrap(), None);
        let info = pool.create_image(&name, SIZE, &metadata(&[])).await.unwrap();
        assert_eq!(pool.watchers(&name).await.unwrap(), Some(Vec::new()));

        // Looking, and reading, take no watch.
        let reader = pool.open_reader(&name, None).await.unwrap().unwrap();
        assert_eq!(pool.watchers(&name).await.unwrap(), Some(Vec::new()));
        drop(reader);

        let guest = connect().await;
        let theirs = guest.pool(pool.name()).open_writer(&name, WriterOptions::default()).await.unwrap();
        let ours = pool.open_writer(&name, WriterOptions::default()).await.unwrap();
        let seen = pool.watchers_by_id(&info.id).await.unwrap().unwrap();
        assert_eq!(seen.len(), 2, "{seen:?}");
        let (own, other): (Vec<_>, Vec<_>) = seen.iter().partition(|watcher| watcher.own);
        assert_eq!((own[0].client_id, other[0].client_id), (place.cluster.client_id(), guest.client_id()));
        assert_eq!(own[0].address, place.cluster.addresses().await.unwrap()[0]);
        assert_eq!(other[0].address, guest.addresses().await.unwrap()[0]);
        assert_eq!(seen, pool.watchers(ImageRef::id(&info.id)).await.unwrap().unwrap());
        let status = rbd(&["status", &format!("{}/{name}", pool.name())]);
        for watcher in &seen {
            let shown = format!("watcher={} client.{} cookie={}", watcher.address, watcher.client_id, watcher.cookie);
            assert!(status.contains(&shown), "{shown} is not in {status}");
        }
        theirs.finish().await.unwrap();
        ours.finish().await.unwrap();
        assert_eq!(pool.watchers(&name).await.unwrap(), Some(Vec::new()));
        assert_eq!(pool.watchers_by_id("nosuchid").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_dropped_writer_lets_go_of_its_watch() {
    with_place(|place| async move {
        let (pool, name) = (&place.pool, place.name("disk"));
        pool.create_image(&name, SIZE, &metadata(&[])).await.unwrap();
        let writer = pool.open_writer(&name, WriterOptions::default()).await.unwrap();
        writer.write_at(0, vec![1u8; 1 << 20].into()).await.unwrap();
        drop(writer);
        for _ in 0..100 {
            if pool.watchers(&name).await.unwrap().unwrap().is_empty() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the dropped writer still watches after 5 s");
    })
    .await;
}

/// What a watcher's address is for: naming it to the blocklist cuts that client off, and it says so.
#[tokio::test]
async fn a_client_fenced_by_its_address_is_told() {
    with_place(|place| async move {
        let (pool, name) = (&place.pool, place.name("disk"));
        pool.create_image(&name, SIZE, &metadata(&[])).await.unwrap();
        let guest = connect().await;
        let guest_pool = guest.pool(pool.name());
        let writer = guest_pool.open_writer(&name, WriterOptions::default()).await.unwrap();
        let address = pool.watchers(&name).await.unwrap().unwrap()[0].address.clone();
        ceph(&["osd", "blocklist", "add", &address, "3600"]);
        let mut refused = None;
        for _ in 0..300 {
            let written = writer.write_at(0, vec![1u8; 4096].into()).await;
            if let Err(error) = written {
                refused = Some(error);
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let listed = guest_pool.info(&name).await;
        ceph(&["osd", "blocklist", "rm", &address]);
        let error = refused.expect("a fenced client's write was accepted for 15 s");
        assert_eq!((error.class(), error.errno()), (Class::Broken, Some(108)), "{error}");
        assert!(error.to_string().contains("blocklist"), "{error}");
        assert_eq!(listed.unwrap_err().class(), Class::Broken);
        drop(writer);
    })
    .await;
}

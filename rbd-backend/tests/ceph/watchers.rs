//! Watchers: who they are, where they are, and that looking leaves no trace.

use crate::support::{connect, metadata, rbd, with_place};
use cuttle_rbd_backend::{ImageRef, WriterOptions};

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

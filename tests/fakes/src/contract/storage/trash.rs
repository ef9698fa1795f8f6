//! The trash: in, listed, out again, and gone for good; with somebody watching, and with clones alive.

use super::{Place, metadata};
use cuttle_rbd_backend::{Class, ClonePlan, Deferment, ImageRef, TrashSource, WriterOptions};
use std::time::{Duration, SystemTime};

const SIZE: u64 = 8 << 20;
const HOUR: Duration = Duration::from_secs(3600);

pub async fn an_image_goes_to_the_trash_comes_back_and_is_purged(place: Place) {
    let (pool, name) = (&place.pool, place.name("disk"));
    assert_eq!(pool.trash_move(&name, HOUR).await.unwrap(), None);
    let owner = metadata(&[("cuttle.instance", "one")]);
    let info = pool.create_image(&name, SIZE, &owner).await.unwrap();
    assert_eq!(pool.trash_move(&name, HOUR).await.unwrap(), Some(info.id.clone()));
    assert_eq!(pool.trash_move(&name, HOUR).await.unwrap(), None);
    assert_eq!(pool.info(ImageRef::from(&name)).await.unwrap(), None);
    assert!(!pool.list_images().await.unwrap().iter().any(|image| image.id == info.id));

    let entry = pool.trash_list().await.unwrap().into_iter().find(|entry| entry.id == info.id).unwrap();
    assert_eq!((entry.name.as_str(), entry.source), (name.as_str(), TrashSource::User));
    let kept = entry.deferment_end.duration_since(entry.deleted_at).unwrap();
    assert!(kept.abs_diff(HOUR) < Duration::from_secs(5), "kept for {kept:?}");
    assert!(entry.deleted_at.duration_since(SystemTime::UNIX_EPOCH).unwrap() > HOUR);
    // Its owner can still be read, by id.
    assert_eq!(pool.metadata(ImageRef::id(&info.id)).await.unwrap(), Some(owner));

    let early = pool.trash_purge(&info.id, Deferment::Respected).await.unwrap_err();
    assert!(early.class() == Class::Refused && early.to_string().contains("kept until"), "{early}");
    let renamed = place.name("again");
    for _ in 0..2 {
        pool.trash_restore(&info.id, &renamed).await.unwrap();
    }
    assert_eq!(pool.info(ImageRef::from(&renamed)).await.unwrap().unwrap().id, info.id);
    assert!(pool.trash_move_by_id(&info.id, Duration::ZERO).await.unwrap());
    assert!(!pool.trash_move_by_id(&info.id, Duration::ZERO).await.unwrap());
    // The end is compared in whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for _ in 0..2 {
        pool.trash_purge(&info.id, Deferment::Respected).await.unwrap();
    }
    assert_eq!(pool.info_by_id(&info.id).await.unwrap(), None);
    assert_eq!(pool.trash_restore(&info.id, &name).await.unwrap_err().class(), Class::Gone);
}

pub async fn a_name_that_is_taken_is_not_restored_over(place: Place) {
    let (pool, name) = (&place.pool, place.name("disk"));
    let old = pool.create_image(&name, SIZE, &metadata(&[])).await.unwrap();
    pool.trash_move(&name, HOUR).await.unwrap();
    let new = pool.create_image(&name, SIZE, &metadata(&[])).await.unwrap();
    assert_eq!(pool.trash_restore(&old.id, &name).await.unwrap_err().class(), Class::Refused);
    // By id only the one that is meant goes, whatever has its name now.
    assert!(!pool.trash_move_by_id(&old.id, HOUR).await.unwrap());
    assert_eq!(pool.info(ImageRef::from(&name)).await.unwrap().unwrap().id, new.id);
    pool.trash_purge(&old.id, Deferment::Ignored).await.unwrap();
}

pub async fn a_watched_image_goes_to_the_trash_but_is_not_purged_and_says_who_watches(place: Place) {
    let (pool, name) = (&place.pool, place.name("disk"));
    let info = pool.create_image(&name, SIZE, &metadata(&[])).await.unwrap();
    let guest = place.connect().await;
    let writer = guest.pool(pool.name()).open_writer(ImageRef::from(&name), WriterOptions::default()).await.unwrap();
    writer.write_at(0, vec![1u8; 4096].into()).await.unwrap();

    assert_eq!(pool.trash_move(&name, Duration::ZERO).await.unwrap(), Some(info.id.clone()));
    let watchers = pool.watchers_by_id(&info.id).await.unwrap().unwrap();
    assert_eq!(watchers.len(), 1, "{watchers:?}");
    let refused = pool.trash_purge(&info.id, Deferment::Ignored).await.unwrap_err();
    assert_eq!(refused.class(), Class::Refused);
    assert!(refused.to_string().contains(&watchers[0].address), "{refused}");

    writer.finish().await.unwrap();
    pool.trash_purge(&info.id, Deferment::Ignored).await.unwrap();
}

pub async fn a_parent_in_the_trash_is_kept_for_its_clones(place: Place) {
    let (pool, name) = (&place.pool, place.name("image"));
    let info = pool.create_image(&name, SIZE, &metadata(&[])).await.unwrap();
    pool.create_snapshot(ImageRef::from(&name), "snap").await.unwrap();
    let plan = ClonePlan {
        parent_pool: pool.name().into(),
        parent_image: name.clone(),
        parent_snapshot: "snap".into(),
        name: place.name("disk"),
        size_bytes: SIZE,
        metadata: metadata(&[]),
    };
    pool.create_clone(plan.clone()).await.unwrap();
    pool.remove_snapshot(ImageRef::from(&name), "snap").await.unwrap();
    pool.trash_move(&name, Duration::ZERO).await.unwrap();
    let refused = pool.trash_purge(&info.id, Deferment::Ignored).await.unwrap_err();
    assert!(refused.class() == Class::Refused && refused.to_string().contains("snapshots"), "{refused}");
    let parent = pool.info(ImageRef::from(&plan.name)).await.unwrap().unwrap().parent.unwrap();
    assert_eq!(parent.image_id, info.id);
    let reader = pool.open_reader(ImageRef::from(&plan.name), None).await.unwrap().unwrap();
    assert_eq!(reader.read_at(0, 16).await.unwrap(), vec![0u8; 16]);
}

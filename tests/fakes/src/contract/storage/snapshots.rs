//! Snapshots: each change twice, and what stands in its way.

use super::{Place, metadata};
use cuttle_rbd_backend::{Class, ClonePlan, ImageRef, Protection};

const SIZE: u64 = 8 << 20;

pub async fn each_change_of_a_snapshot_repeats(place: Place) {
    let (pool, name) = (&place.pool, place.name("image"));
    assert_eq!(pool.list_snapshots(ImageRef::from(&name)).await.unwrap(), None);
    let info = pool.create_image(&name, SIZE, &metadata(&[])).await.unwrap();
    for _ in 0..2 {
        pool.create_snapshot(ImageRef::from(&name), "snap").await.unwrap();
    }
    for _ in 0..2 {
        pool.protect_snapshot(ImageRef::id(&info.id), "snap").await.unwrap();
    }
    pool.resize(ImageRef::from(&name), 2 * SIZE).await.unwrap();
    for number in 0..20 {
        pool.create_snapshot(ImageRef::from(&name), &format!("more{number}")).await.unwrap();
    }
    let listed = pool.list_snapshots(ImageRef::from(&name)).await.unwrap().unwrap();
    assert_eq!(listed.len(), 21);
    let first = listed.iter().find(|snapshot| snapshot.name == "snap").unwrap();
    assert_eq!((first.size_bytes, first.protection), (SIZE, Protection::Protected));
    assert!(listed.iter().any(|snapshot| snapshot.size_bytes == 2 * SIZE && snapshot.protection == Protection::Unprotected));

    let busy = pool.remove_snapshot(ImageRef::from(&name), "snap").await.unwrap_err();
    assert_eq!((busy.class(), busy.errno()), (Class::Refused, Some(16)));
    assert!(busy.to_string().contains(&format!("{name}@snap")), "{busy}");
    for _ in 0..2 {
        pool.unprotect_snapshot(ImageRef::from(&name), "snap").await.unwrap();
    }
    for _ in 0..2 {
        pool.remove_snapshot(ImageRef::from(&name), "snap").await.unwrap();
    }
    assert_eq!(pool.list_snapshots(ImageRef::from(&name)).await.unwrap().unwrap().len(), 20);
}

pub async fn a_snapshot_with_clones_goes_and_they_live_on(place: Place) {
    let (pool, name) = (&place.pool, place.name("image"));
    pool.create_image(&name, SIZE, &metadata(&[])).await.unwrap();
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
    // librbd keeps it under a name of its own, which is none of a user's.
    assert_eq!(pool.list_snapshots(ImageRef::from(&name)).await.unwrap(), Some(Vec::new()));
    assert_eq!(pool.info(ImageRef::from(&plan.name)).await.unwrap().unwrap().parent.unwrap().image, name);
}

pub async fn what_is_not_there_is_gone_and_bad_names_are_refused(place: Place) {
    let (pool, name) = (&place.pool, place.name("image"));
    assert_eq!(pool.create_snapshot(ImageRef::from(&name), "snap").await.unwrap_err().class(), Class::Gone);
    pool.create_image(&name, SIZE, &metadata(&[])).await.unwrap();
    assert_eq!(pool.protect_snapshot(ImageRef::from(&name), "snap").await.unwrap_err().class(), Class::Gone);
    assert_eq!(pool.unprotect_snapshot(ImageRef::from(&name), "snap").await.unwrap_err().class(), Class::Gone);
    for bad in ["", "a/b", "a@b", "a\0"] {
        assert_eq!(pool.create_snapshot(ImageRef::from(&name), bad).await.unwrap_err().class(), Class::Refused, "{bad:?}");
    }
}

//! Disks as clones: whole at once, completed after a crash, never taken from another owner.

use super::{Place, metadata};
use cuttle_rbd_backend::{Class, ClonePlan, ImageRef, ParentInfo};

const SIZE: u64 = 8 << 20;

/// An image with a protected snapshot, as imports leave them.
async fn image(place: &Place) -> String {
    let name = place.name("image");
    let owner = metadata(&[("cuttle.image", "i"), ("cuttle.project", "of-image"), ("foreign", "kept")]);
    place.pool.create_image(&name, SIZE, &owner).await.unwrap();
    place.pool.create_snapshot(ImageRef::from(&name), "snap").await.unwrap();
    place.pool.protect_snapshot(ImageRef::from(&name), "snap").await.unwrap();
    name
}

fn plan(place: &Place, parent: &str, name: &str, owner: &str) -> ClonePlan {
    ClonePlan {
        parent_pool: place.pool.name().into(),
        parent_image: parent.into(),
        parent_snapshot: "snap".into(),
        name: name.into(),
        size_bytes: 4 * SIZE,
        metadata: metadata(&[("cuttle.instance", owner), ("cuttle.project", "of-disk")]),
    }
}

pub async fn a_clone_is_grown_owned_and_made_once(place: Place) {
    let parent = image(&place).await;
    let plan = plan(&place, &parent, &place.name("disk"), "one");
    let first = place.pool.create_clone(plan.clone()).await.unwrap();
    let second = place.pool.create_clone(plan.clone()).await.unwrap();
    assert_eq!(first, second);
    // librbd adds a bit of its own to clones.
    assert_eq!((first.size_bytes, first.features & 0xff), (4 * SIZE, 61));
    let parent_info = place.pool.info(ImageRef::from(&parent)).await.unwrap().unwrap();
    let expected =
        ParentInfo { pool: place.pool.name().into(), image: parent, image_id: parent_info.id, snapshot: "snap".into() };
    assert_eq!(first.parent, Some(expected));
    assert_eq!(place.pool.info(ImageRef::from(&plan.name)).await.unwrap(), Some(first.clone()));
    // Its own owner only: none of ours of the parent, what is not ours kept.
    let owner = metadata(&[("cuttle.instance", "one"), ("cuttle.project", "of-disk"), ("foreign", "kept")]);
    assert_eq!(place.pool.metadata(ImageRef::from(&plan.name)).await.unwrap(), Some(owner));
    assert!(place.pool.watchers(ImageRef::from(&plan.name)).await.unwrap().unwrap().is_empty(), "the image was left open");
    // A smaller size than the parent's is the parent's.
    let small = ClonePlan { size_bytes: 1, name: place.name("small"), ..plan };
    assert_eq!(place.pool.create_clone(small).await.unwrap().size_bytes, SIZE);
}

pub async fn a_disk_of_another_owner_or_origin_is_refused_and_left_alone(place: Place) {
    let parent = image(&place).await;
    let one = plan(&place, &parent, &place.name("disk"), "one");
    let made = place.pool.create_clone(one.clone()).await.unwrap();
    let before = place.pool.metadata(ImageRef::from(&one.name)).await.unwrap();

    let two = plan(&place, &parent, &one.name, "two");
    let error = place.pool.create_clone(two).await.unwrap_err();
    assert_eq!(error.class(), Class::Refused);
    assert!(error.to_string().contains("another owner"), "{error}");

    place.pool.create_snapshot(ImageRef::from(&parent), "later").await.unwrap();
    let later = ClonePlan { parent_snapshot: "later".into(), ..one.clone() };
    let error = place.pool.create_clone(later).await.unwrap_err();
    assert!(error.class() == Class::Refused && error.to_string().contains("@snap"), "{error}");

    let blank = ClonePlan { name: place.name("blank"), ..one.clone() };
    place.pool.create_image(&blank.name, SIZE, &metadata(&[])).await.unwrap();
    assert_eq!(place.pool.create_clone(blank).await.unwrap_err().class(), Class::Refused);

    assert_eq!(place.pool.info(ImageRef::from(&one.name)).await.unwrap(), Some(made));
    assert_eq!(place.pool.metadata(ImageRef::from(&one.name)).await.unwrap(), before);
}

pub async fn a_clone_of_a_clone_knows_its_parent(place: Place) {
    let parent = image(&place).await;
    let disk = plan(&place, &parent, &place.name("disk"), "one");
    place.pool.create_clone(disk.clone()).await.unwrap();
    // No protection: clones of the second format do not need it.
    place.pool.create_snapshot(ImageRef::from(&disk.name), "snap").await.unwrap();
    let child = plan(&place, &disk.name, &place.name("child"), "two");
    let info = place.pool.create_clone(child.clone()).await.unwrap();
    assert_eq!(info.parent.unwrap().image, disk.name);
    // Repeating it is not fooled by the owner that the child's parent has.
    place.pool.create_clone(child.clone()).await.unwrap();
    let owner = place.pool.metadata(ImageRef::from(&child.name)).await.unwrap().unwrap();
    assert_eq!(owner.get("cuttle.instance").map(String::as_str), Some("two"));
}

pub async fn a_parent_that_is_not_there_is_named(place: Place) {
    let parent = image(&place).await;
    let plan = plan(&place, &parent, &place.name("disk"), "one");
    for missing in [
        ClonePlan { parent_image: place.name("none"), ..plan.clone() },
        ClonePlan { parent_snapshot: "none".into(), ..plan.clone() },
    ] {
        let error = place.pool.create_clone(missing.clone()).await.unwrap_err();
        assert_eq!(error.class(), Class::Gone, "{error}");
        let from = format!("{}@{}", missing.parent_image, missing.parent_snapshot);
        assert!(error.to_string().contains(&from), "{error}");
    }
    let error = place.pool.create_clone(ClonePlan { parent_pool: "no-such-pool".into(), ..plan.clone() }).await;
    let error = error.unwrap_err();
    assert!(error.class() == Class::Broken && error.to_string().contains("no-such-pool"), "{error}");
    assert_eq!(place.pool.info(ImageRef::from(&plan.name)).await.unwrap(), None);
}

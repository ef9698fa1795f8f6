//! Disks as clones: whole at once, completed after a crash, never taken from another owner.

use crate::support::{Place, metadata, rbd, with_place};
use cuttle_rbd_backend::{Class, ClonePlan, ParentInfo};
use std::time::{Duration, Instant};

const SIZE: u64 = 8 << 20;

/// An image with a protected snapshot, as imports leave them.
async fn image(place: &Place) -> String {
    let name = place.name("image");
    let owner = metadata(&[("cuttle.image", "i"), ("cuttle.project", "of-image"), ("foreign", "kept")]);
    place.pool.create_image(&name, SIZE, &owner).await.unwrap();
    place.pool.create_snapshot(&name, "snap").await.unwrap();
    place.pool.protect_snapshot(&name, "snap").await.unwrap();
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

#[tokio::test]
async fn a_clone_is_grown_owned_and_made_once() {
    with_place(|place| async move {
        let parent = image(&place).await;
        let plan = plan(&place, &parent, &place.name("disk"), "one");
        let first = place.pool.create_clone(plan.clone()).await.unwrap();
        let second = place.pool.create_clone(plan.clone()).await.unwrap();
        assert_eq!(first, second);
        // librbd adds a bit of its own to clones.
        assert_eq!((first.size_bytes, first.features & 0xff), (4 * SIZE, 61));
        let parent_info = place.pool.info(&parent).await.unwrap().unwrap();
        let expected =
            ParentInfo { pool: place.pool.name().into(), image: parent, image_id: parent_info.id, snapshot: "snap".into() };
        assert_eq!(first.parent, Some(expected));
        assert_eq!(place.pool.info(&plan.name).await.unwrap(), Some(first.clone()));
        // Its own owner only: none of ours of the parent, what is not ours kept.
        let owner = metadata(&[("cuttle.instance", "one"), ("cuttle.project", "of-disk"), ("foreign", "kept")]);
        assert_eq!(place.pool.metadata(&plan.name).await.unwrap(), Some(owner));
        assert!(place.pool.watchers(&plan.name).await.unwrap().unwrap().is_empty(), "the image was left open");
        // A smaller size than the parent's is the parent's.
        let small = ClonePlan { size_bytes: 1, name: place.name("small"), ..plan };
        assert_eq!(place.pool.create_clone(small).await.unwrap().size_bytes, SIZE);
    })
    .await;
}

#[tokio::test]
async fn a_half_made_clone_is_completed() {
    with_place(|place| async move {
        let parent = image(&place).await;
        let plan = plan(&place, &parent, &place.name("disk"), "one");
        // As after a crash right after the cloning: the parent's metadata, the parent's size.
        let spec = |name: &str| format!("{}/{name}", place.pool.name());
        let from = format!("{}@snap", spec(&parent));
        rbd(&["clone", "--rbd-default-clone-format", "2", &from, &spec(&plan.name)]);
        let inherited = place.pool.metadata(&plan.name).await.unwrap().unwrap();
        assert_eq!(inherited.get("cuttle.project").map(String::as_str), Some("of-image"), "clones inherit metadata");
        let info = place.pool.create_clone(plan.clone()).await.unwrap();
        assert_eq!(info.size_bytes, 4 * SIZE);
        let owner = place.pool.metadata(&plan.name).await.unwrap().unwrap();
        assert_eq!(owner.get("cuttle.project").map(String::as_str), Some("of-disk"));
        assert!(!owner.contains_key("cuttle.image"));
    })
    .await;
}

#[tokio::test]
async fn a_disk_of_another_owner_or_origin_is_refused_and_left_alone() {
    with_place(|place| async move {
        let parent = image(&place).await;
        let one = plan(&place, &parent, &place.name("disk"), "one");
        let made = place.pool.create_clone(one.clone()).await.unwrap();
        let before = place.pool.metadata(&one.name).await.unwrap();

        let two = plan(&place, &parent, &one.name, "two");
        let error = place.pool.create_clone(two).await.unwrap_err();
        assert_eq!(error.class(), Class::Refused);
        assert!(error.to_string().contains("another owner"), "{error}");

        place.pool.create_snapshot(&parent, "later").await.unwrap();
        let later = ClonePlan { parent_snapshot: "later".into(), ..one.clone() };
        let error = place.pool.create_clone(later).await.unwrap_err();
        assert!(error.class() == Class::Refused && error.to_string().contains("@snap"), "{error}");

        let blank = ClonePlan { name: place.name("blank"), ..one.clone() };
        place.pool.create_image(&blank.name, SIZE, &metadata(&[])).await.unwrap();
        assert_eq!(place.pool.create_clone(blank).await.unwrap_err().class(), Class::Refused);

        assert_eq!(place.pool.info(&one.name).await.unwrap(), Some(made));
        assert_eq!(place.pool.metadata(&one.name).await.unwrap(), before);
    })
    .await;
}

#[tokio::test]
async fn a_clone_of_a_clone_knows_its_parent() {
    with_place(|place| async move {
        let parent = image(&place).await;
        let disk = plan(&place, &parent, &place.name("disk"), "one");
        place.pool.create_clone(disk.clone()).await.unwrap();
        // No protection: clones of the second format do not need it.
        place.pool.create_snapshot(&disk.name, "snap").await.unwrap();
        let child = plan(&place, &disk.name, &place.name("child"), "two");
        let info = place.pool.create_clone(child.clone()).await.unwrap();
        assert_eq!(info.parent.unwrap().image, disk.name);
        // Repeating it is not fooled by the owner that the child's parent has.
        place.pool.create_clone(child.clone()).await.unwrap();
        let owner = place.pool.metadata(&child.name).await.unwrap().unwrap();
        assert_eq!(owner.get("cuttle.instance").map(String::as_str), Some("two"));
    })
    .await;
}

#[tokio::test]
async fn a_parent_that_is_not_there_is_named() {
    with_place(|place| async move {
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
        assert_eq!(place.pool.info(&plan.name).await.unwrap(), None);
    })
    .await;
}

/// Not a benchmark: says where the time goes, and fails only on something absurd.
#[tokio::test]
async fn cloning_costs_little_more_than_librbd() {
    with_place(|place| async move {
        let parent = image(&place).await;
        let mut times = Vec::new();
        for number in 0..10 {
            let plan = plan(&place, &parent, &place.name(&format!("disk{number}")), "one");
            let begun = Instant::now();
            place.pool.create_clone(plan).await.unwrap();
            times.push(begun.elapsed());
        }
        times.sort();
        println!("create_clone: median {:?}, all {times:?}", times[5]);
        let begun = Instant::now();
        let mut at_once = tokio::task::JoinSet::new();
        for number in 0..16 {
            let (pool, plan) = (place.pool.clone(), plan(&place, &parent, &place.name(&format!("parallel{number}")), "one"));
            at_once.spawn(async move { pool.create_clone(plan).await });
        }
        while let Some(made) = at_once.join_next().await {
            made.unwrap().unwrap();
        }
        println!("create_clone, 16 at once: {:?} each", begun.elapsed() / 16);
        let begun = Instant::now();
        let disk = place.name("disk0");
        for _ in 0..10 {
            place.pool.watchers(&disk).await.unwrap();
        }
        println!("watchers: {:?} each", begun.elapsed() / 10);
        assert!(times[5] < Duration::from_secs(2), "{times:?}");
    })
    .await;
}

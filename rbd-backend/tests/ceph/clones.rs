//! Disks as clones: whole at once, completed after a crash, never taken from another owner.

use crate::support::{Place, metadata, rbd, with_place};
use cuttle_rbd_backend::ClonePlan;
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

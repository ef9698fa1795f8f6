//! Pages of a pool, owners and places by id: what librbd says, without opening an image.

use crate::support::{metadata, with_place};
use cuttle_rbd_backend::Place;
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

#[tokio::test]
async fn pages_hold_every_image_once() {
    with_place(|place| async move {
        for number in 0..7 {
            place.pool.create_image(&place.name(&format!("image{number}")), 1 << 20, &metadata(&[])).await.unwrap();
        }
        for limit in [1, 3, 1000] {
            let (mut found, mut after) = (Vec::new(), None::<String>);
            loop {
                let page = place.pool.list_images_page(after.as_deref(), limit).await.unwrap();
                assert!(page.len() <= limit);
                let Some(last) = page.last() else { break };
                after = Some(last.id.clone());
                found.extend(page);
            }
            let ours = |images: Vec<cuttle_rbd_backend::ImageName>| -> HashSet<_> {
                images.into_iter().filter(|image| image.name.starts_with(&place.prefix)).map(|i| (i.id, i.name)).collect()
            };
            let count = found.len();
            let found = ours(found);
            assert_eq!(found, ours(place.pool.list_images().await.unwrap()));
            assert_eq!(found.len(), 7, "of {count}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_image_says_its_owner_and_age_and_where_it_is() {
    with_place(|place| async move {
        let (pool, name) = (&place.pool, place.name("disk"));
        let before = SystemTime::now() - Duration::from_secs(5);
        let owner = metadata(&[("cuttle.instance", "one"), ("cuttle.project", "two"), ("other", "three")]);
        let image = pool.create_image(&name, 1 << 20, &owner).await.unwrap();
        let ids = [image.id.clone(), "nobody".to_owned()];
        let facts = pool.facts(&ids).await.unwrap();
        assert_eq!(facts.len(), 1);
        assert_eq!(facts[&image.id].owner, metadata(&[("cuttle.instance", "one"), ("cuttle.project", "two")]));
        let created = facts[&image.id].created_at.unwrap();
        assert!(created >= before && created <= SystemTime::now() + Duration::from_secs(5), "{created:?}");

        assert_eq!(pool.places(&ids).await.unwrap(), [(image.id.clone(), Place::Named(name.clone()))].into());
        let other = place.name("renamed");
        pool.rename(&name, &other).await.unwrap();
        assert_eq!(pool.places(&ids).await.unwrap(), [(image.id.clone(), Place::Named(other.clone()))].into());
        pool.trash_move(&other, Duration::from_secs(60)).await.unwrap();
        assert_eq!(pool.places(&ids).await.unwrap(), [(image.id.clone(), Place::Trash)].into());
        assert_eq!(pool.facts(&ids).await.unwrap()[&image.id].owner.len(), 2, "the trash keeps the owner");
    })
    .await;
}

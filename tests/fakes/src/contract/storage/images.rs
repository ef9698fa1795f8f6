//! Making images, looking at them, growing, renaming, metadata.

use super::{Place, metadata};
use cuttle_rbd_backend::{Class, ImageRef};

const SIZE: u64 = 8 << 20;

pub async fn an_image_is_made_once_with_features_and_owner(place: Place) {
    let (pool, name) = (&place.pool, place.name("disk"));
    let owner = metadata(&[("cuttle.instance", "one"), ("cuttle.project", "p")]);
    assert_eq!(pool.info(ImageRef::from(&name)).await.unwrap(), None);
    assert_eq!(pool.metadata(ImageRef::from(&name)).await.unwrap(), None);
    let first = pool.create_image(&name, SIZE, &owner).await.unwrap();
    let second = pool.create_image(&name, SIZE, &owner).await.unwrap();
    assert_eq!(first, second);
    assert_eq!((first.size_bytes, first.features, first.parent.clone()), (SIZE, 61, None));
    assert_eq!(pool.info(ImageRef::from(&name)).await.unwrap(), Some(first.clone()));
    assert_eq!(pool.info_by_id(&first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(pool.info_by_id("nosuchid").await.unwrap(), None);
    assert_eq!(pool.metadata(ImageRef::from(&name)).await.unwrap(), Some(owner));
    let listed = pool.list_images().await.unwrap();
    assert!(listed.iter().any(|image| image.name == name && image.id == first.id));
}

pub async fn an_image_of_another_owner_or_size_is_refused_and_a_half_made_one_completed(place: Place) {
    let (pool, name) = (&place.pool, place.name("disk"));
    let (one, two) = (metadata(&[("cuttle.instance", "one")]), metadata(&[("cuttle.instance", "two")]));
    pool.create_image(&name, SIZE, &one).await.unwrap();
    let error = pool.create_image(&name, SIZE, &two).await.unwrap_err();
    assert_eq!(error.class(), Class::Refused);
    assert!(error.to_string().contains("\"one\"") && error.to_string().contains(&name), "{error}");
    assert_eq!(pool.create_image(&name, 2 * SIZE, &one).await.unwrap_err().class(), Class::Refused);

    // As after a crash between making the image and naming its owner.
    pool.remove_metadata(ImageRef::from(&name), &["cuttle.instance"]).await.unwrap();
    pool.create_image(&name, SIZE, &two).await.unwrap();
    assert_eq!(pool.metadata(ImageRef::from(&name)).await.unwrap(), Some(two));
}

pub async fn metadata_is_set_and_removed_by_name_and_by_id(place: Place) {
    let (pool, name) = (&place.pool, place.name("disk"));
    let info = pool.create_image(&name, SIZE, &metadata(&[("a", "1"), ("empty", "")])).await.unwrap();
    pool.set_metadata(ImageRef::from(&name), &metadata(&[("b", "2")])).await.unwrap();
    pool.set_metadata(ImageRef::id(&info.id), &metadata(&[("a", "ä 3"), ("long", &"x".repeat(10_000))])).await.unwrap();
    for _ in 0..2 {
        pool.remove_metadata(ImageRef::from(&name), &["b"]).await.unwrap();
    }
    let read = pool.metadata(ImageRef::id(&info.id)).await.unwrap().unwrap();
    assert_eq!(read, metadata(&[("a", "ä 3"), ("empty", ""), ("long", &"x".repeat(10_000))]));
    let missing = pool.set_metadata(ImageRef::from(place.name("none")), &metadata(&[("a", "1")])).await.unwrap_err();
    assert_eq!((missing.class(), missing.errno()), (Class::Gone, Some(2)));
    // By id too: no header object is made for an image that is not there.
    let missing = pool.set_metadata(ImageRef::id("nosuchid"), &metadata(&[("a", "1")])).await.unwrap_err();
    assert_eq!(missing.class(), Class::Gone);
    let many: Vec<_> = (0..200).map(|number| (format!("key{number}"), "v".repeat(100))).collect();
    pool.set_metadata(ImageRef::from(&name), &many.iter().cloned().collect()).await.unwrap();
    assert_eq!(pool.metadata(ImageRef::from(&name)).await.unwrap().unwrap().len(), 203);
}

pub async fn growing_repeats_and_shrinking_is_refused(place: Place) {
    let (pool, name) = (&place.pool, place.name("disk"));
    let info = pool.create_image(&name, SIZE, &metadata(&[])).await.unwrap();
    for _ in 0..2 {
        pool.resize(ImageRef::from(&name), 2 * SIZE).await.unwrap();
    }
    pool.resize(ImageRef::id(&info.id), 3 * SIZE).await.unwrap();
    let error = pool.resize(ImageRef::from(&name), SIZE).await.unwrap_err();
    assert_eq!(error.class(), Class::Refused);
    assert!(error.to_string().contains("never shrunk"), "{error}");
    assert_eq!(pool.info(ImageRef::from(&name)).await.unwrap().unwrap().size_bytes, 3 * SIZE);
    assert_eq!(pool.resize(ImageRef::from(place.name("none")), SIZE).await.unwrap_err().class(), Class::Gone);
}

pub async fn renaming_repeats_and_takes_no_name_from_another(place: Place) {
    let (pool, old, new) = (&place.pool, place.name("old"), place.name("new"));
    let info = pool.create_image(&old, SIZE, &metadata(&[])).await.unwrap();
    for _ in 0..2 {
        pool.rename(&old, &new).await.unwrap();
    }
    assert_eq!(pool.info(ImageRef::from(&new)).await.unwrap().unwrap().id, info.id);
    assert_eq!(pool.info(ImageRef::from(&old)).await.unwrap(), None);
    pool.create_image(&old, SIZE, &metadata(&[])).await.unwrap();
    assert_eq!(pool.rename(&old, &new).await.unwrap_err().class(), Class::Refused);
    let none = pool.rename(&place.name("none"), &place.name("other")).await.unwrap_err();
    assert_eq!(none.class(), Class::Gone);
}

pub async fn names_that_tools_cannot_speak_of_are_refused(place: Place) {
    for name in ["", "a/b", "a@b", "a\0b", &"x".repeat(300)] {
        let error = place.pool.create_image(name, SIZE, &metadata(&[])).await.unwrap_err();
        assert_eq!(error.class(), Class::Refused, "{name:?}");
    }
}

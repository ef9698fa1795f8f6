//! Images: writes and lists.

use cuttle_database::{Begin, Begun, ImageQuery, ImageSort, Inserted, LeaseGuard, Mark, SortDirection, WhenBusy, Written};
use cuttle_model::image::{Image, ImageStatus, Visibility};
use cuttle_model::operation::Subject;

use crate::lab::Lab;
use crate::rows;

#[tokio::test]
async fn an_id_is_used_once_and_names_are_not_unique() {
    let lab = Lab::new().await;
    let image = rows::image(rows::project());
    assert_eq!(lab.database.insert_image(&image).await.unwrap(), Inserted::Inserted);
    assert_eq!(lab.database.insert_image(&image).await.unwrap(), Inserted::SameId);
    let other = rows::image(image.project_id);
    assert_eq!(lab.database.insert_image(&other).await.unwrap(), Inserted::Inserted);
}

#[tokio::test]
async fn a_deleted_image_is_not_found() {
    let lab = Lab::new().await;
    let image = rows::image(rows::project());
    lab.database.insert_image(&image).await.unwrap();
    assert!(!lab.database.is_deleted_image(image.id).await.unwrap());
    let deleted = Image { status: ImageStatus::Deleted, ..image.clone() };
    assert_eq!(lab.database.update_image(&deleted, None).await.unwrap(), Written::Done);
    assert_eq!(lab.database.get_image(image.id).await.unwrap(), None);
    assert!(lab.database.is_deleted_image(image.id).await.unwrap());
    assert!(!lab.database.is_deleted_image(rows::image(image.project_id).id).await.unwrap(), "it was never here");
    assert!(lab.database.list_images(&ImageQuery::default()).await.unwrap().is_empty());
    // Its id stays taken.
    assert_eq!(lab.database.insert_image(&image).await.unwrap(), Inserted::SameId);
}

#[tokio::test]
async fn a_write_names_its_generation_and_its_lease() {
    let lab = Lab::new().await;
    let image = rows::image(rows::project());
    lab.database.insert_image(&image).await.unwrap();
    let operation = rows::operation(Subject::Image(image.id), rows::node());
    let begin = Begin {
        operation: operation.clone(),
        mark: Mark::Image { generation: image.generation, status: ImageStatus::Saving },
        when_busy: WhenBusy::Refuse,
    };
    assert_eq!(lab.database.begin_operation(&begin).await.unwrap(), Begun::Begun);
    let saving = lab.database.get_image(image.id).await.unwrap().unwrap();
    assert_eq!((saving.status, saving.generation), (ImageStatus::Saving, image.generation + 1));

    let held = rows::guard(&operation);
    let lost = LeaseGuard { epoch: 7, ..held };
    assert_eq!(lab.database.update_image(&image, Some(&held)).await.unwrap(), Written::Stale);
    assert_eq!(lab.database.update_image(&saving, Some(&lost)).await.unwrap(), Written::LeaseLost);
    assert_eq!(lab.database.update_image(&saving, Some(&held)).await.unwrap(), Written::Done);
}

#[tokio::test]
async fn each_filter_finds_what_it_says() {
    let lab = Lab::new().await;
    let (ours, theirs) = (rows::project(), rows::project());
    let named = |name: &str, project, seconds| Image {
        name: Some(name.to_owned()),
        created_at: rows::at(seconds),
        size_bytes: Some(100 - seconds as u64),
        ..rows::image(project)
    };
    let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
    let all = [
        Image { tags: tags(&["a", "b\"c"]), ..named("one", ours, 1) },
        Image { tags: tags(&["ab", ",", "line\nend"]), ..named("two", ours, 2) },
        Image { visibility: Visibility::Public, status: ImageStatus::Active, ..named("three", theirs, 3) },
        Image { visibility: Visibility::Shared, ..named("four", theirs, 4) },
    ];
    for image in &all {
        lab.database.insert_image(image).await.unwrap();
    }
    let list = async |query: ImageQuery| -> Vec<String> {
        lab.database.list_images(&query).await.unwrap().into_iter().filter_map(|image| image.name).collect()
    };
    let any = ImageQuery::default;
    let tagged = |wanted: &[&str]| ImageQuery { tags: tags(wanted), ..any() };

    assert_eq!(list(any()).await, ["four", "three", "two", "one"]);
    assert_eq!(list(ImageQuery { visible_to: Some(ours), ..any() }).await, ["three", "two", "one"]);
    assert_eq!(list(ImageQuery { visibility: Some(Visibility::Shared), ..any() }).await, ["four"]);
    assert_eq!(list(ImageQuery { owner: Some(theirs), visible_to: Some(ours), ..any() }).await, ["three"]);
    assert_eq!(list(ImageQuery { name: Some("two".to_owned()), ..any() }).await, ["two"]);
    assert_eq!(list(ImageQuery { status: Some(ImageStatus::Active), ..any() }).await, ["three"]);
    assert_eq!(list(ImageQuery { ids: Some(vec![all[0].id, all[3].id]), ..any() }).await, ["four", "one"]);
    assert_eq!(list(ImageQuery { ids: Some(Vec::new()), ..any() }).await, [""; 0]);
    assert_eq!(list(tagged(&["a"])).await, ["one"]);
    assert_eq!(list(tagged(&["a", "b\"c"])).await, ["one"]);
    assert_eq!(list(tagged(&[","])).await, ["two"]);
    assert_eq!(list(tagged(&["line\nend"])).await, ["two"]);
    for absent in ["", "b", "c", "line", "\n", "\",\""] {
        assert_eq!(list(tagged(&[absent])).await, [""; 0], "{absent:?}");
    }
    let by_size = vec![(ImageSort::Size, SortDirection::Ascending)];
    assert_eq!(list(ImageQuery { sort: by_size.clone(), ..any() }).await, ["four", "three", "two", "one"]);
    let page = ImageQuery { sort: by_size, marker: Some(all[2].id), limit: Some(1), ..any() };
    assert_eq!(list(page).await, ["two"]);
}

//! Images: writes and lists.

use cuttle_database::{Begin, Begun, ImageQuery, Inserted, LeaseGuard, Mark, WhenBusy, Written};
use cuttle_model::image::{Image, ImageStatus};
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
        room: None,
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

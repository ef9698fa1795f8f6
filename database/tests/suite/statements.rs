//! A list is one statement, however long it is.

use cuttle_database::{ImageQuery, InstanceQuery};
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::Instance;

use crate::lab::Lab;
use crate::rows;
use crate::statements::counted;

#[tokio::test]
async fn what_is_counted_is_each_statement() {
    let lab = Lab::new().await;
    let instance = rows::insert_instance(&lab.database).await;
    let (_, none) = counted(async {}).await;
    let (_, three) = counted(async {
        for _ in 0..3 {
            rows::get(&lab.database, &instance).await;
        }
    })
    .await;
    assert_eq!((none, three), (0, 3));
}

#[tokio::test]
async fn a_list_is_one_statement_however_long_it_is() {
    let lab = Lab::new().await;
    let database = &lab.database;
    let project = rows::project();
    let mut ids: Vec<InstanceId> = Vec::new();
    for length in [1, 60] {
        while ids.len() < length {
            let host = rows::insert_host(database, &format!("host{}", ids.len())).await;
            let instance = Instance { host_id: Some(host.id), ..rows::instance(project) };
            rows::store(database, &instance).await;
            let mut image = rows::image(project);
            image.tags = vec!["a".to_owned(), "b".to_owned()];
            database.insert_image(&image).await.unwrap();
            ids.push(instance.id);
        }
        let (found, statements) = counted(database.list_instances(&InstanceQuery::default())).await;
        assert_eq!((found.unwrap().len(), statements), (length, 1), "instances");
        let (found, statements) = counted(database.list_hosts()).await;
        assert_eq!((found.unwrap().len(), statements), (length, 1), "hosts");
        let (found, statements) = counted(database.list_images(&ImageQuery::default())).await;
        assert_eq!((found.unwrap().len(), statements), (length, 1), "images");
        let (_, statements) = counted(database.list_user_data(&ids)).await;
        assert_eq!(statements, 1, "user data");
        let (found, statements) = counted(database.list_hosts_with_usage()).await;
        assert_eq!((found.unwrap().len(), statements), (length, 1), "hosts with their usage");
    }
}

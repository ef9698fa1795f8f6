//! Migrations, bad rows, and addresses.

use cuttle_database::{Error, Options, SchemaGap, connect};

use crate::lab::Lab;
use crate::rows;

#[tokio::test]
async fn nodes_that_start_at_once_all_find_the_schema_made() {
    let (lab, url) = Lab::empty().await;
    let mut nodes = vec![lab.database.clone()];
    for _ in 0..5 {
        nodes.push(connect(&url, None, &Options { connections: 2, ..Options::default() }).await.unwrap());
    }
    let starts: Vec<_> = nodes.into_iter().map(|node| tokio::spawn(async move { node.migrate().await })).collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
    assert!(lab.database.list_hosts().await.unwrap().is_empty());
    lab.database.migrate().await.unwrap();
}

#[tokio::test]
async fn a_schema_that_is_newer_is_refused() {
    let lab = Lab::new().await;
    lab.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 9999, description, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1",
    )
    .await;
    assert!(matches!(lab.database.migrate().await, Err(Error::Migration(_))));
}

#[tokio::test]
async fn a_row_that_is_not_understood_is_named_with_its_column() {
    let lab = Lab::new().await;
    let instance = rows::insert_instance(&lab.database).await;
    for (damage, expected) in [
        ("UPDATE instances SET metadata = '[1'", "metadata"),
        ("UPDATE instances SET power = 'sleeping'", "power"),
        ("UPDATE instances SET user_id = 'me'", "user_id"),
        ("UPDATE instances SET state = 'error'", "fault"),
    ] {
        lab.execute(damage).await;
        match lab.database.get_instance(instance.id).await {
            Err(Error::BadRow { table, row, column }) => {
                assert_eq!((table, row, column), ("instances", instance.id.to_string(), expected));
            }
            other => panic!("{damage}: {other:?}"),
        }
        lab.execute("UPDATE instances SET metadata = '{}', power = 'running', user_id = project_id, state = 'active'").await;
        lab.database.get_instance(instance.id).await.unwrap();
    }
}

#[tokio::test]
async fn an_address_of_another_kind_is_refused() {
    for url in ["mysql://cuttle:secret@db/cuttle", "cuttle.db", ""] {
        let error = connect(url, None, &Options::default()).await.err().unwrap();
        assert!(matches!(&error, Error::BadAddress(_)), "{error:?}");
        assert!(!format!("{error:?}").contains("secret"));
    }
}

#[tokio::test]
async fn what_a_schema_lacks_or_has_too_much_is_told() {
    let (lab, _) = Lab::empty().await;
    assert!(!lab.database.schema_gap().await.unwrap().missing.is_empty());
    lab.database.migrate().await.unwrap();
    assert_eq!(lab.database.schema_gap().await.unwrap(), SchemaGap::default());
    lab.execute("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 1").await;
    assert_eq!(lab.database.schema_gap().await.unwrap(), SchemaGap { missing: vec![1], unknown: vec![9999] });
}

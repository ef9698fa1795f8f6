//! Flavors.

use cuttle_database::{FlavorQuery, Inserted};
use cuttle_model::flavor::{Flavor, FlavorId};

use crate::lab::Lab;
use crate::rows;

#[tokio::test]
async fn ids_and_names_are_unique_and_lists_are_by_memory() {
    let lab = Lab::new().await;
    let named = |id: &str, ram_mib, disk_gib, is_public| Flavor {
        id: FlavorId(id.to_owned()),
        name: format!("flavor {id}"),
        ram_mib,
        disk_gib,
        is_public,
        ..rows::flavor()
    };
    for flavor in [named("c", 64, 5, true), named("a", 128, 1, true), named("b", 64, 9, false)] {
        assert_eq!(lab.database.insert_flavor(&flavor).await.unwrap(), Inserted::Inserted);
    }
    assert_eq!(lab.database.insert_flavor(&named("a", 1, 1, true)).await.unwrap(), Inserted::SameId);
    let same_name = Flavor { id: FlavorId("d".to_owned()), ..named("a", 1, 1, true) };
    assert_eq!(lab.database.insert_flavor(&same_name).await.unwrap(), Inserted::SameName);

    let list = async |query: FlavorQuery| -> Vec<String> {
        lab.database.list_flavors(&query).await.unwrap().into_iter().map(|flavor| flavor.id.0).collect()
    };
    let any = FlavorQuery::default;
    assert_eq!(list(any()).await, ["b", "c", "a"]);
    assert_eq!(list(FlavorQuery { is_public: Some(true), ..any() }).await, ["c", "a"]);
    assert_eq!(list(FlavorQuery { min_ram_mib: Some(65), ..any() }).await, ["a"]);
    assert_eq!(list(FlavorQuery { min_disk_gib: Some(5), ..any() }).await, ["b", "c"]);
    assert_eq!(list(FlavorQuery { min_disk_gib: Some(u64::MAX), ..any() }).await, [""; 0]);
    assert_eq!(list(FlavorQuery { marker: Some(FlavorId("b".to_owned())), limit: Some(1), ..any() }).await, ["c"]);

    assert!(lab.database.delete_flavor(&FlavorId("b".to_owned())).await.unwrap());
    assert!(!lab.database.delete_flavor(&FlavorId("b".to_owned())).await.unwrap());
    assert_eq!(list(any()).await, ["c", "a"]);
}

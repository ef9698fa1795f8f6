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

#[tokio::test]
async fn extra_specs_change_one_by_one_and_none_is_lost() {
    let lab = Lab::new().await;
    let nodes = [lab.database.clone(), lab.another_node().await];
    let flavor = rows::flavor();
    lab.database.insert_flavor(&flavor).await.unwrap();
    let one = |key: &str| std::collections::BTreeMap::from([(key.to_owned(), "v".to_owned())]);
    let changed = rows::at_once((0..20).map(|task| {
        let (node, id, spec) = (nodes[task % 2].clone(), flavor.id.clone(), one(&task.to_string()));
        async move { node.change_extra_specs(&id, &spec, None).await.unwrap().is_some() }
    }))
    .await;
    assert!(changed.into_iter().all(|changed| changed));
    let left = lab.database.change_extra_specs(&flavor.id, &one("a"), Some("7")).await.unwrap().unwrap();
    assert_eq!((left.len(), left.contains_key("7"), left.contains_key("a")), (20, false, true));
    assert_eq!(lab.database.get_flavor(&flavor.id).await.unwrap().unwrap().extra_specs, left);
    assert_eq!(lab.database.change_extra_specs(&FlavorId("none".to_owned()), &one("a"), None).await.unwrap(), None);
    assert!(lab.database.set_flavor_description(&flavor.id, Some("d")).await.unwrap());
    assert_eq!(lab.database.get_flavor(&flavor.id).await.unwrap().unwrap().description.as_deref(), Some("d"));
}

#[tokio::test]
async fn a_private_flavor_is_listed_for_whom_it_is_open_to() {
    let lab = Lab::new().await;
    let (project, other) = (rows::project(), rows::project());
    let private = Flavor { is_public: false, ..rows::flavor() };
    lab.database.insert_flavor(&private).await.unwrap();
    let listed = async |project| {
        let query = FlavorQuery { is_public: Some(true), project: Some(project), ..FlavorQuery::default() };
        lab.database.list_flavors(&query).await.unwrap().len()
    };
    assert!(lab.database.add_flavor_access(&private.id, project).await.unwrap());
    assert!(!lab.database.add_flavor_access(&private.id, project).await.unwrap());
    assert!(!lab.database.add_flavor_access(&FlavorId("none".to_owned()), project).await.unwrap());
    assert_eq!((listed(project).await, listed(other).await), (1, 0));
    assert!(lab.database.has_flavor_access(&private.id, project).await.unwrap());
    assert_eq!(lab.database.list_flavor_access(&private.id).await.unwrap(), [project]);
    assert!(lab.database.remove_flavor_access(&private.id, project).await.unwrap());
    assert!(!lab.database.remove_flavor_access(&private.id, project).await.unwrap());
    lab.database.add_flavor_access(&private.id, project).await.unwrap();
    assert!(lab.database.delete_flavor(&private.id).await.unwrap());
    assert!(lab.database.list_flavor_access(&private.id).await.unwrap().is_empty());
}

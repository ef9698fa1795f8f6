//! How many statements a request costs: none for its token, and for a page as many as for a single row.

use cuttle_model::identity::{Project, Role};
use cuttle_model::image::{ImageStatus, Visibility};
use cuttle_model::instance::{Instance, InstanceState};

use super::counter::counted;
use super::{Cloud, rows};

/// Servers with all that is read beside them: a host, an image, user data.
async fn fill(cloud: &Cloud, project: &Project, from: usize, to: usize) -> Vec<Instance> {
    let database = &cloud.shared.database;
    let mut made = Vec::new();
    for number in from..to {
        let mut image = rows::image(project.id);
        (image.status, image.visibility) = (ImageStatus::Active, Visibility::Public);
        image.properties.insert("os_distro".to_owned(), "debian".to_owned());
        database.insert_image(&image).await.unwrap();
        // A few hosts, as they are read whole.
        let host = match number % 100 {
            0 => Some(rows::insert_host(database, &format!("host{number}")).await.id),
            _ => None,
        };
        let instance =
            Instance { state: InstanceState::Active, host_id: host, image_id: Some(image.id), ..rows::instance(project.id) };
        let new = cuttle_database::NewInstance {
            instance: instance.clone(),
            placement: None,
            operation: None,
            quota: None,
            user_data: Some("IyEvYmluL3NoCg==".to_owned()),
            placing: Default::default(),
        };
        database.insert_instance(&new).await.unwrap();
        made.push(instance);
    }
    made
}

/// The statements of a request whose token is known, and how many items its answer has.
async fn cost(cloud: &Cloud, token: &str, path: &str, list: &str) -> (usize, usize) {
    // The first one opens connections and looks the token up.
    cloud.get_at(token, path, "latest").await;
    let (answer, statements) = counted(cloud.get_at(token, path, "latest")).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    (answer.body[list].as_array().map_or(1, Vec::len), statements)
}

#[tokio::test]
async fn a_token_costs_one_statement_once_and_then_none() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let instance = fill(&cloud, &project, 0, 1).await.remove(0);
    let member = cloud.token(&project, Role::Member).await;
    let path = format!("/compute/v2.1/servers/{}", instance.id);
    let first = counted(cloud.get(&member, &path)).await.1;
    let second = counted(cloud.get(&member, &path)).await.1;
    assert_eq!((first, second), (3, 2), "the token, the server and the hosts' zones, then all but the token");
}

#[tokio::test]
async fn a_page_costs_as_many_statements_as_a_single_row() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let (admin, member) = (cloud.token(&project, Role::Admin).await, cloud.token(&project, Role::Member).await);
    let lists = [
        (&member, "/compute/v2.1/servers/detail?limit=1000", "servers", 4),
        (&admin, "/compute/v2.1/servers/detail?limit=1000", "servers", 6),
        (&member, "/compute/v2.1/servers?limit=1000", "servers", 1),
        (&member, "/image/v2/images?limit=1000", "images", 1),
    ];
    let mut known = 0;
    for length in [10, 1000] {
        fill(&cloud, &project, known, length).await;
        known = length;
        for (token, path, list, statements) in lists {
            assert_eq!(cost(&cloud, token, path, list).await, (length, statements), "{path}");
        }
    }
}

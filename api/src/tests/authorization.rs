//! Each route lets in whom the table below says, and nobody else. A route that is missing here fails.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use cuttle_model::identity::Role;

use super::{Cloud, new_user, send};
use crate::web::routes::Access::{self, Admin, Manager, Member, Public, Reader, Token};
use crate::web::routes::{Route, Routes};
use crate::{compute, identity, image, operator, public};

/// What is meant, written by hand: a route whose access changes by accident fails here.
const MEANT: &[(&str, &str, Access)] = &[
    ("GET", "/compute/", Public),
    ("GET", "/compute/v2.1/", Public),
    ("GET", "/compute/v2.1/flavors", Reader),
    ("POST", "/compute/v2.1/flavors", Admin),
    ("GET", "/compute/v2.1/flavors/detail", Reader),
    ("GET", "/compute/v2.1/flavors/{id}", Reader),
    ("PUT", "/compute/v2.1/flavors/{id}", Admin),
    ("DELETE", "/compute/v2.1/flavors/{id}", Admin),
    ("POST", "/compute/v2.1/flavors/{id}/action", Admin),
    ("GET", "/compute/v2.1/flavors/{id}/os-extra_specs", Reader),
    ("POST", "/compute/v2.1/flavors/{id}/os-extra_specs", Admin),
    ("GET", "/compute/v2.1/flavors/{id}/os-extra_specs/{key}", Reader),
    ("PUT", "/compute/v2.1/flavors/{id}/os-extra_specs/{key}", Admin),
    ("DELETE", "/compute/v2.1/flavors/{id}/os-extra_specs/{key}", Admin),
    ("GET", "/compute/v2.1/flavors/{id}/os-flavor-access", Admin),
    ("GET", "/compute/v2.1/limits", Reader),
    ("GET", "/compute/v2.1/os-aggregates", Admin),
    ("POST", "/compute/v2.1/os-aggregates", Admin),
    ("GET", "/compute/v2.1/os-aggregates/{id}", Admin),
    ("PUT", "/compute/v2.1/os-aggregates/{id}", Admin),
    ("DELETE", "/compute/v2.1/os-aggregates/{id}", Admin),
    ("POST", "/compute/v2.1/os-aggregates/{id}/action", Admin),
    ("GET", "/compute/v2.1/os-availability-zone", Reader),
    ("GET", "/compute/v2.1/os-availability-zone/detail", Admin),
    ("GET", "/compute/v2.1/os-hypervisors", Admin),
    ("GET", "/compute/v2.1/os-hypervisors/detail", Admin),
    ("GET", "/compute/v2.1/os-hypervisors/statistics", Admin),
    ("GET", "/compute/v2.1/os-hypervisors/{id}", Admin),
    ("GET", "/compute/v2.1/os-hypervisors/{id}/search", Admin),
    ("GET", "/compute/v2.1/os-hypervisors/{id}/servers", Admin),
    ("GET", "/compute/v2.1/os-keypairs", Reader),
    ("POST", "/compute/v2.1/os-keypairs", Reader),
    ("GET", "/compute/v2.1/os-keypairs/{id}", Reader),
    ("DELETE", "/compute/v2.1/os-keypairs/{id}", Reader),
    ("GET", "/compute/v2.1/os-quota-class-sets/{id}", Admin),
    ("PUT", "/compute/v2.1/os-quota-class-sets/{id}", Admin),
    ("GET", "/compute/v2.1/os-quota-sets/{id}", Reader),
    ("PUT", "/compute/v2.1/os-quota-sets/{id}", Admin),
    ("DELETE", "/compute/v2.1/os-quota-sets/{id}", Admin),
    ("GET", "/compute/v2.1/os-quota-sets/{id}/defaults", Reader),
    ("GET", "/compute/v2.1/os-quota-sets/{id}/detail", Reader),
    ("GET", "/compute/v2.1/os-migrations", Admin),
    ("GET", "/compute/v2.1/os-server-groups", Reader),
    ("POST", "/compute/v2.1/os-server-groups", Member),
    ("GET", "/compute/v2.1/os-server-groups/{id}", Reader),
    ("DELETE", "/compute/v2.1/os-server-groups/{id}", Member),
    ("GET", "/compute/v2.1/os-services", Admin),
    ("PUT", "/compute/v2.1/os-services/{id}", Admin),
    ("GET", "/compute/v2.1/os-simple-tenant-usage", Admin),
    ("GET", "/compute/v2.1/os-simple-tenant-usage/{id}", Reader),
    ("GET", "/compute/v2.1/servers", Reader),
    ("POST", "/compute/v2.1/servers", Member),
    ("GET", "/compute/v2.1/servers/detail", Reader),
    ("GET", "/compute/v2.1/servers/{id}", Reader),
    ("PUT", "/compute/v2.1/servers/{id}", Member),
    ("DELETE", "/compute/v2.1/servers/{id}", Member),
    ("GET", "/compute/v2.1/servers/{id}/metadata", Reader),
    ("POST", "/compute/v2.1/servers/{id}/metadata", Member),
    ("PUT", "/compute/v2.1/servers/{id}/metadata", Member),
    ("GET", "/compute/v2.1/servers/{id}/metadata/{key}", Reader),
    ("PUT", "/compute/v2.1/servers/{id}/metadata/{key}", Member),
    ("DELETE", "/compute/v2.1/servers/{id}/metadata/{key}", Member),
    ("GET", "/compute/v2.1/servers/{id}/os-instance-actions", Reader),
    ("GET", "/compute/v2.1/servers/{id}/os-instance-actions/{key}", Reader),
    ("GET", "/compute/v2.1/servers/{id}/tags", Reader),
    ("PUT", "/compute/v2.1/servers/{id}/tags", Member),
    ("DELETE", "/compute/v2.1/servers/{id}/tags", Member),
    ("GET", "/compute/v2.1/servers/{id}/tags/{key}", Reader),
    ("PUT", "/compute/v2.1/servers/{id}/tags/{key}", Member),
    ("DELETE", "/compute/v2.1/servers/{id}/tags/{key}", Member),
    ("POST", "/compute/v2.1/servers/{id}/action", Member),
    ("GET", "/identity/", Public),
    ("GET", "/identity/v3/", Public),
    ("GET", "/identity/v3/auth/catalog", Token),
    ("GET", "/identity/v3/auth/domains", Token),
    ("GET", "/identity/v3/auth/projects", Token),
    ("GET", "/identity/v3/auth/tokens", Token),
    ("POST", "/identity/v3/auth/tokens", Public),
    ("DELETE", "/identity/v3/auth/tokens", Token),
    ("GET", "/identity/v3/domains", Token),
    ("GET", "/identity/v3/domains/{id}", Token),
    ("GET", "/identity/v3/endpoints", Admin),
    ("GET", "/identity/v3/endpoints/{id}", Admin),
    ("GET", "/identity/v3/projects", Admin),
    ("POST", "/identity/v3/projects", Admin),
    ("GET", "/identity/v3/projects/{id}", Token),
    ("PATCH", "/identity/v3/projects/{id}", Admin),
    ("DELETE", "/identity/v3/projects/{id}", Admin),
    ("GET", "/identity/v3/projects/{id}/users/{user_id}/roles", Admin),
    ("GET", "/identity/v3/projects/{id}/users/{user_id}/roles/{role_id}", Admin),
    ("PUT", "/identity/v3/projects/{id}/users/{user_id}/roles/{role_id}", Admin),
    ("DELETE", "/identity/v3/projects/{id}/users/{user_id}/roles/{role_id}", Admin),
    ("GET", "/identity/v3/regions", Token),
    ("GET", "/identity/v3/regions/{id}", Token),
    ("GET", "/identity/v3/role_assignments", Admin),
    ("GET", "/identity/v3/roles", Admin),
    ("POST", "/identity/v3/roles", Admin),
    ("GET", "/identity/v3/roles/{id}", Admin),
    ("PATCH", "/identity/v3/roles/{id}", Admin),
    ("DELETE", "/identity/v3/roles/{id}", Admin),
    ("GET", "/identity/v3/services", Admin),
    ("GET", "/identity/v3/services/{id}", Admin),
    ("GET", "/identity/v3/users", Admin),
    ("POST", "/identity/v3/users", Admin),
    ("GET", "/identity/v3/users/{id}", Token),
    ("PATCH", "/identity/v3/users/{id}", Admin),
    ("DELETE", "/identity/v3/users/{id}", Admin),
    ("GET", "/identity/v3/users/{id}/application_credentials", Token),
    ("POST", "/identity/v3/users/{id}/application_credentials", Token),
    ("GET", "/identity/v3/users/{id}/application_credentials/{credential_id}", Token),
    ("DELETE", "/identity/v3/users/{id}/application_credentials/{credential_id}", Token),
    ("POST", "/identity/v3/users/{id}/password", Public),
    ("GET", "/identity/v3/users/{id}/projects", Token),
    ("GET", "/image/", Public),
    ("GET", "/image/v2/", Public),
    ("GET", "/image/v2/images", Reader),
    ("POST", "/image/v2/images", Member),
    ("GET", "/image/v2/images/{id}", Reader),
    ("DELETE", "/image/v2/images/{id}", Member),
    ("PATCH", "/image/v2/images/{id}", Member),
    ("POST", "/image/v2/images/{id}/actions/deactivate", Member),
    ("POST", "/image/v2/images/{id}/actions/reactivate", Member),
    ("GET", "/image/v2/images/{id}/file", Reader),
    ("PUT", "/image/v2/images/{id}/file", Member),
    ("GET", "/image/v2/images/{id}/members", Reader),
    ("POST", "/image/v2/images/{id}/members", Member),
    ("GET", "/image/v2/images/{id}/members/{member}", Reader),
    ("PUT", "/image/v2/images/{id}/members/{member}", Member),
    ("DELETE", "/image/v2/images/{id}/members/{member}", Member),
    ("PUT", "/image/v2/images/{id}/tags/{tag}", Member),
    ("DELETE", "/image/v2/images/{id}/tags/{tag}", Member),
    ("GET", "/image/v2/schemas/image", Token),
    ("GET", "/image/v2/schemas/images", Token),
    ("GET", "/image/v2/schemas/member", Token),
    ("GET", "/image/v2/schemas/members", Token),
    ("GET", "/image/versions", Public),
    ("GET", "/operator/v1/doctor", Admin),
    ("GET", "/operator/v1/hosts", Admin),
    ("POST", "/operator/v1/hosts", Admin),
    ("GET", "/operator/v1/hosts/{name}", Admin),
    ("DELETE", "/operator/v1/hosts/{name}", Admin),
    ("GET", "/operator/v1/hosts/{name}/events", Admin),
    ("POST", "/operator/v1/hosts/{name}/rotate-key", Admin),
    ("POST", "/operator/v1/hosts/{name}/rejoin", Admin),
    ("POST", "/operator/v1/hosts/{name}/drain", Admin),
    ("POST", "/operator/v1/hosts/{name}/undrain", Admin),
    ("POST", "/operator/v1/hosts/{name}/disable", Admin),
    ("POST", "/operator/v1/hosts/{name}/enable", Admin),
    ("GET", "/operator/v1/instances", Admin),
    ("GET", "/operator/v1/instances/{id}", Admin),
    ("GET", "/operator/v1/instances/{id}/events", Admin),
    ("GET", "/operator/v1/instances/{id}/placement", Admin),
    ("GET", "/operator/v1/operations", Admin),
    ("POST", "/operator/v1/operations/{id}/cancel", Admin),
    ("GET", "/operator/v1/operations/watch", Admin),
    ("GET", "/operator/v1/operations/{id}", Admin),
    ("GET", "/operator/v1/operations/{id}/watch", Admin),
    ("POST", "/operator/v1/reconcile", Admin),
    ("POST", "/operator/v1/placement/try", Admin),
    ("GET", "/operator/v1/placement/free", Admin),
];

fn meant(route: &Route) -> Access {
    let found = MEANT.iter().find(|(method, path, _)| route.method.as_str() == *method && route.path == *path);
    found.unwrap_or_else(|| panic!("{} {} has no authorization test", route.method, route.path)).2
}

#[tokio::test]
async fn the_table_is_what_is_meant() {
    let cloud = Cloud::new().await;
    let table = public::table(&cloud.shared);
    for route in &table {
        assert_eq!(route.access, meant(route), "{} {}", route.method, route.path);
    }
    assert_eq!(table.len(), MEANT.len(), "a route that is meant does not exist");
}

/// The groups of routes, each with handlers that do nothing.
fn shadows(cloud: &Cloud) -> Vec<(Router, Vec<Route>)> {
    fn shadow<S: Clone + Send + Sync + 'static>(routes: Routes<S>) -> (Router, Vec<Route>) {
        (routes.shadow.clone(), routes.table().to_vec())
    }
    let shared = &cloud.shared;
    vec![
        shadow(identity::routes(shared)),
        shadow(compute::plain_routes(shared)),
        shadow(compute::controlled_routes(shared)),
        shadow(image::plain_routes(shared)),
        shadow(image::controlled_routes(shared)),
        shadow(operator::plain_routes(shared)),
        shadow(operator::controlled_routes(shared)),
    ]
}

/// A path with something in place of ids.
pub(super) fn filled(path: &str) -> String {
    let filled = |part| match part {
        "{name}" => "host1",
        part if str::starts_with(part, "{") => "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b",
        part => part,
    };
    path.split('/').map(filled).collect::<Vec<_>>().join("/")
}

/// The path below the service's version, with something in place of ids.
fn below_version(path: &str) -> String {
    let path = filled(path);
    format!("/{}", path.trim_start_matches('/').splitn(3, '/').nth(2).unwrap_or(""))
}

#[tokio::test]
async fn each_route_lets_in_whom_it_should() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let nobody = new_user("nobody");
    cloud.shared.database.insert_user(&nobody, "").await.unwrap();
    let mut tokens = vec![(Public, None), (Public, Some("made-up".to_owned()))];
    tokens.push((Token, Some(cloud.insert_token(nobody, None).await)));
    for (access, role) in [(Reader, Role::Reader), (Member, Role::Member), (Manager, Role::Manager), (Admin, Role::Admin)] {
        tokens.push((access, Some(cloud.token(&project, role).await)));
    }
    let mut tried = 0;
    for (router, table) in shadows(&cloud) {
        for route in table {
            for (holds, token) in &tokens {
                let mut request = Request::builder().method(&route.method).uri(below_version(&route.path));
                if let Some(token) = token {
                    request = request.header("x-auth-token", token);
                }
                let answer = send(router.clone(), request.body(Body::empty()).unwrap()).await;
                let expected = match (*holds >= meant(&route), holds) {
                    (true, _) => StatusCode::IM_A_TEAPOT,
                    (false, Public) => StatusCode::UNAUTHORIZED,
                    (false, _) => StatusCode::FORBIDDEN,
                };
                assert_eq!(answer.status, expected, "{} {} with {holds:?}", route.method, route.path);
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "{tried}");
}

#[tokio::test]
async fn a_project_in_the_path_must_be_the_tokens() {
    let cloud = Cloud::new().await;
    let (mine, other) = (cloud.project("mine").await, cloud.project("other").await);
    let token = cloud.token(&mine, Role::Reader).await;
    assert_eq!(cloud.get(&token, &format!("/compute/v2.1/{}/flavors", mine.id)).await.status, StatusCode::OK);
    let answer = cloud.get(&token, &format!("/compute/v2.1/{}/flavors", other.id)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.body["badRequest"]["message"].as_str().unwrap().contains("project_id"));
}

#[tokio::test]
async fn head_asks_for_the_same_role_as_get() {
    let cloud = Cloud::new().await;
    let head = |path: &str| Request::builder().method(Method::HEAD).uri(path).body(Body::empty()).unwrap();
    assert_eq!(cloud.send(head("/compute/v2.1/servers")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(cloud.send(head("/identity/v3/auth/tokens")).await.status, StatusCode::UNAUTHORIZED);
}

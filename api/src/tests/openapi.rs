//! docs/openapi.json is what is served, and the bodies that it shows are those that are checked.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cuttle_model::identity::Role;
use serde_json::Value;

use super::Cloud;
use crate::web::validation::checked;
use crate::{openapi, public};

#[tokio::test]
async fn documented_openapi_is_what_is_served() {
    let cloud = Cloud::new().await;
    let served = cloud.get("", "/openapi.json").await;
    assert_eq!(served.status, StatusCode::OK);
    assert_eq!(served.body, openapi::document(&public::table(&cloud.shared)));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let expected = serde_json::to_string_pretty(&served.body).unwrap() + "\n";
    if std::env::var_os("CUTTLE_GENERATE").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == expected, "docs/openapi.json is out of date: CUTTLE_GENERATE=1 cargo test -p cuttle-api documented");
}

/// Each declared body is the one that the handler looks at: an empty object reaches the check, and it is
/// the declared schema's.
#[tokio::test]
async fn declared_bodies_are_those_that_are_checked() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Admin).await;
    let mut tried = 0;
    for route in public::table_without_ceph(&cloud.shared) {
        let Some(declared) = route.body else { continue };
        let path = super::authorization::filled(&route.path);
        let request = Request::builder().method(&route.method).uri(&path).header("content-type", "application/json");
        let request = request.header("openstack-api-version", "compute latest");
        checked::forget();
        let answer = cloud.send(request.header("x-auth-token", &token).body(Body::from("{}")).unwrap()).await;
        assert!(!answer.status.is_server_error(), "{} {path}: {}", route.method, answer.status);
        assert!(checked::last().is_some_and(|last| std::ptr::eq(last, declared)), "{} {path} checks another", route.method);
        tried += 1;
    }
    assert!(tried > 8, "{tried}");
}

#[tokio::test]
async fn operations_are_named_once_and_refer_to_what_is_there() {
    let cloud = Cloud::new().await;
    let document = openapi::document(&public::table(&cloud.shared));
    let mut names = Vec::new();
    for operations in document["paths"].as_object().unwrap().values() {
        for operation in operations.as_object().unwrap().values() {
            names.push(operation["operationId"].as_str().unwrap().to_owned());
            let reference = operation["responses"]["4XX"]["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
            assert_ne!(document.pointer(reference.trim_start_matches('#')), None::<&Value>, "{reference}");
        }
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

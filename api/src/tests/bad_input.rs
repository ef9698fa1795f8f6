//! Bodies that are not what they should be: always a 4xx in the service's shape, never a 5xx.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cuttle_model::identity::Role;
use serde_json::json;

use super::{Cloud, flavor};
use crate::web::body::MAX_BYTES;

const PATHS: [(&str, &str); 3] = [
    ("/compute/v2.1/flavors", "/badRequest/message"),
    ("/image/v2/images", "/message"),
    ("/identity/v3/auth/tokens", "/error/message"),
];

#[tokio::test]
async fn malformed_bodies_are_400_in_shape() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Admin).await;
    let deep = "[".repeat(50_000);
    let bodies: [&[u8]; 9] = [b"", b"{", b"[]", b"null", b"5", b"\"x\"", b"\xff\xfe", b"{\"a\": 1e999}", deep.as_bytes()];
    for (path, message) in PATHS {
        for body in bodies {
            let request =
                Request::post(path).header("x-auth-token", &token).header("content-type", "application/json; charset=utf-8");
            let answer = cloud.send(request.body(Body::from(body.to_vec())).unwrap()).await;
            assert_eq!(
                answer.status,
                StatusCode::BAD_REQUEST,
                "{path} {:?}",
                String::from_utf8_lossy(&body[..body.len().min(20)])
            );
            assert!(answer.body.pointer(message).is_some_and(|text| text.is_string()), "{path} {}", answer.body);
        }
    }
}

#[tokio::test]
async fn other_content_types_are_415() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Admin).await;
    for (path, _) in PATHS {
        for kind in ["application/xml", "text/plain", "", "application/jsonx"] {
            let request = Request::post(path).header("x-auth-token", &token).header("content-type", kind);
            let answer = cloud.send(request.body(Body::from("{}")).unwrap()).await;
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path} {kind}");
        }
    }
}

#[tokio::test]
async fn large_bodies_are_413_whether_announced_or_not() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Admin).await;
    for (path, _) in PATHS {
        let request = || Request::post(path).header("x-auth-token", &token).header("content-type", "application/json");
        let size = usize::try_from(MAX_BYTES).unwrap() + 1;
        let announced = request().header("content-length", size).body(Body::from(vec![b' '; size])).unwrap();
        assert_eq!(cloud.send(announced).await.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 65_536]));
        let streamed = request().body(Body::from_stream(endless)).unwrap();
        assert_eq!(cloud.send(streamed).await.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

#[tokio::test]
async fn fields_are_named_in_refusals() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Admin).await;
    for (field, value) in [
        ("name", json!("x".repeat(300))),
        ("name", json!("a\u{0}b")),
        ("ram", json!("many")),
        ("vcpus", json!(0)),
        ("disk", json!(-1)),
        ("disk", json!(99_999_999_999_u64)),
        ("rxtx_factor", json!(2)),
        ("surprise", json!(true)),
        ("os-flavor-access:is_public", json!("maybe")),
    ] {
        let mut body = flavor("a");
        body["flavor"][field] = value.clone();
        let answer = cloud.post(&token, "/compute/v2.1/flavors", &body).await;
        let message = answer.body["badRequest"]["message"].as_str().unwrap_or("");
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{field} {value}");
        assert!(message.contains(field), "{field}: {message}");
    }
    assert_eq!(cloud.get(&token, "/compute/v2.1/flavors").await.body, json!({"flavors": []}), "nothing was left behind");
}

#[tokio::test]
async fn odd_tokens_are_401() {
    let cloud = Cloud::new().await;
    for token in ["", "x", &"y".repeat(5000), "' OR 1=1 --"] {
        assert_eq!(cloud.get(token, "/compute/v2.1/servers").await.status, StatusCode::UNAUTHORIZED, "{token}");
    }
}

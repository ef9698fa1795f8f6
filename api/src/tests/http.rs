//! What holds for each answer, whatever was asked; and clients that are slow or send too much.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use cuttle_model::identity::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Cloud;
use crate::listener;
use crate::web::body::MAX_BYTES;

const PATHS: [&str; 12] = [
    "/",
    "/nothing",
    "/healthz",
    "/openapi.json",
    "/identity",
    "/identity/v3/users",
    "/identity/v3/nothing",
    "/compute/v2.1/servers",
    "/compute/v2.1/servers/x",
    "/compute/elsewhere",
    "/image/v2/images",
    "/operator/v1/hosts",
];

#[tokio::test]
async fn every_answer_has_an_id_of_its_own_and_nothing_is_a_5xx() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Admin).await;
    let brew = Method::from_bytes(b"BREW").unwrap();
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::DELETE, Method::OPTIONS, Method::TRACE, brew];
    let mut ids = std::collections::HashSet::new();
    for path in PATHS {
        for method in &methods {
            for token in ["", &token] {
                let request = Request::builder().method(method).uri(path).header("x-auth-token", token);
                let answer = cloud.send(request.body(Body::empty()).unwrap()).await;
                assert!(!answer.status.is_server_error(), "{method} {path}: {}", answer.status);
                let id = answer.header("x-openstack-request-id").to_owned();
                assert!(id.starts_with("req-") && ids.insert(id), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn head_is_answered_as_get_is_and_options_is_no_route() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Admin).await;
    for path in PATHS {
        let ask = |method: Method| Request::builder().method(method).uri(path).header("x-auth-token", &token);
        let get = cloud.send(ask(Method::GET).body(Body::empty()).unwrap()).await;
        let head = cloud.send(ask(Method::HEAD).body(Body::empty()).unwrap()).await;
        assert_eq!(head.status, get.status, "{path}");
        let options = cloud.send(ask(Method::OPTIONS).body(Body::empty()).unwrap()).await;
        assert!(matches!(options.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED), "{path} {}", options.status);
    }
}

#[tokio::test]
async fn a_key_given_twice_is_refused_by_name() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Admin).await;
    for path in ["/identity/v3/projects", "/compute/v2.1/flavors", "/image/v2/images"] {
        let request = Request::post(path).header("x-auth-token", &token).header("content-type", "application/json");
        let body = r#"{"project": {"name": "a", "name": "b"}}"#;
        let answer = cloud.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(answer.body.to_string().contains("attribute name."), "{}", answer.body);
    }
}

/// The cloud on a real socket, whose clients have `patience` for a request's head.
async fn listening(cloud: &Cloud, patience: Duration) -> SocketAddr {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    let service = cloud.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(listener::server(socket, patience).unwrap().serve(service));
    address
}

/// What comes back until the other end closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut text)).await.expect("it was not closed").ok();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_cut_off() {
    let cloud = Cloud::new().await;
    let address = listening(&cloud, Duration::from_millis(200)).await;
    for begun in ["", "GET /identity/v3 HTTP/1.1\r\nHost: x\r\nX-Slow"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
}

#[tokio::test]
async fn two_gigabytes_are_refused_before_they_are_sent() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Admin).await;
    let address = listening(&cloud, Duration::from_secs(10)).await;
    for path in ["/identity/v3/auth/tokens", "/compute/v2.1/flavors", "/image/v2/images"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nContent-Type: application/json\r\n\
             Content-Length: 2147483648\r\nConnection: close\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains(&MAX_BYTES.to_string()), "{path}: {answer}");
    }
}

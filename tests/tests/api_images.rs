//! Images over the wire: uploads that are whole, broken, repeated or of the wrong kind.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use cuttle_tests::{Answer, Cloud, eventually};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn queued(cloud: &Cloud, name: &str) -> String {
    let body = json!({"name": name, "disk_format": "raw", "container_format": "bare"});
    let answer = cloud.post("/image/v2/images", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body["status"], "queued");
    answer.body["id"].as_str().unwrap().to_owned()
}

async fn upload(cloud: &Cloud, id: &str, data: Vec<u8>) -> Answer {
    cloud.put_bytes(&format!("/image/v2/images/{id}/file"), data).await
}

async fn shown(cloud: &Cloud, id: &str) -> Value {
    cloud.get(&format!("/image/v2/images/{id}")).await.body
}

async fn delete(cloud: &Cloud, id: &str) {
    assert_eq!(cloud.delete(&format!("/image/v2/images/{id}")).await.status, 204);
    assert_eq!(cloud.get(&format!("/image/v2/images/{id}")).await.status, 404);
    assert_eq!(cloud.delete(&format!("/image/v2/images/{id}")).await.status, 404);
}

/// Some bytes that are not all the same.
fn data(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index / 7 % 251) as u8).collect()
}

#[tokio::test]
async fn an_upload_makes_an_image_active_once() {
    let cloud = Cloud::from_env().await;
    let id = queued(&cloud, "api upload").await;
    let size = 5 * 1024 * 1024 + 7;
    let answer = upload(&cloud, &id, data(size)).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    let image = shown(&cloud, &id).await;
    assert_eq!((&image["status"], &image["size"]), (&json!("active"), &json!(size)));
    assert!(image["virtual_size"].as_u64().unwrap() >= size as u64);
    assert_eq!(image["os_hash_algo"], "sha512");
    assert_eq!(image["checksum"].as_str().unwrap().len(), 32);
    assert_eq!(upload(&cloud, &id, data(10)).await.status, 409);
    assert_eq!(shown(&cloud, &id).await, image);
    delete(&cloud, &id).await;
}

#[tokio::test]
async fn refused_uploads_leave_the_image_queued() {
    let cloud = Cloud::from_env().await;
    let id = queued(&cloud, "api refused").await;
    let mut qcow2 = b"QFI\xfb\x00\x00\x00\x03".to_vec();
    qcow2.extend(data(100_000));
    for (bytes, why) in [(Vec::new(), "empty"), (qcow2, "qcow2")] {
        let answer = upload(&cloud, &id, bytes).await;
        assert_eq!(answer.status, 400, "{why}: {}", answer.body);
        assert!(answer.body["message"].as_str().unwrap().contains(why), "{why}: {}", answer.body);
        assert_eq!(shown(&cloud, &id).await["status"], "queued");
    }
    let path = format!("/image/v2/images/{id}/file");
    let request = cloud.request(reqwest::Method::PUT, &path).header("content-type", "application/json").body("{}");
    assert_eq!(cloud.send(request).await.status, 415);
    assert_eq!(upload(&cloud, "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b", data(1)).await.status, 404);
    assert_eq!(upload(&cloud, "no-id", data(1)).await.status, 404);
    assert_eq!(upload(&cloud, &id, data(4096)).await.status, 204, "it can still be given its data");
    delete(&cloud, &id).await;
}

/// Sends the head of an upload that announces `announced` bytes, and `body`; then says that it has no more.
async fn send_truncated(cloud: &Cloud, id: &str, announced: usize, body: &[u8]) -> String {
    let request = cloud.request(reqwest::Method::PUT, &format!("/image/v2/images/{id}/file")).build().unwrap();
    let address = format!("{}:{}", request.url().host_str().unwrap(), request.url().port().unwrap());
    let token = request.headers()["x-auth-token"].to_str().unwrap();
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: {address}\r\nX-Auth-Token: {token}\r\nContent-Type: application/octet-stream\r\nContent-Length: {announced}\r\n\r\n",
        request.url().path()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_truncated_upload_is_refused_and_can_be_repeated() {
    let cloud = Cloud::from_env().await;
    let id = queued(&cloud, "api truncated").await;
    let answer = send_truncated(&cloud, &id, 9_000_000, &data(6_000_000)).await;
    // A client that goes away may be gone before it can be told.
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    eventually("the image queued again", Duration::from_secs(30), || async {
        (shown(&cloud, &id).await["status"] == "queued").then_some(())
    })
    .await;
    assert_eq!(upload(&cloud, &id, data(9_000_000)).await.status, 204);
    assert_eq!(shown(&cloud, &id).await["size"], 9_000_000);
    delete(&cloud, &id).await;
}

#[tokio::test]
async fn a_protected_image_stays() {
    let cloud = Cloud::from_env().await;
    let body = json!({"name": "api protected", "protected": true});
    let id = cloud.post("/image/v2/images", &body).await.body["id"].as_str().unwrap().to_owned();
    let answer = cloud.delete(&format!("/image/v2/images/{id}")).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert_eq!(upload(&cloud, &id, data(1)).await.status, 400, "its formats are not set");
}

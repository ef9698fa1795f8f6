//! Images over the wire: uploads that are whole, broken, repeated or of the wrong kind.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::time::Duration;

use cuttle_tests::{Answer, Cloud, Lab, eventually};
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

#[tokio::test]
async fn data_comes_back_whole_and_in_parts() {
    let cloud = Cloud::from_env().await;
    let id = queued(&cloud, "api download").await;
    let path = format!("/image/v2/images/{id}/file");
    assert_eq!(cloud.get(&path).await.status, 204, "there is no data yet");
    let data = data(9 * 1024 * 1024 + 3);
    assert_eq!(upload(&cloud, &id, data.clone()).await.status, 204);
    let image = shown(&cloud, &id).await;
    let get = async |range: Option<&str>| {
        let mut request = cloud.request(reqwest::Method::GET, &path);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        (status, headers, response.bytes().await.unwrap().to_vec())
    };
    let (status, headers, whole) = get(None).await;
    assert_eq!((status, headers["content-md5"].to_str().unwrap()), (200, image["checksum"].as_str().unwrap()));
    assert_eq!(headers["content-length"], data.len().to_string().as_str());
    assert!(whole == data, "what came back differs");
    let (status, headers, part) = get(Some("bytes=4194300-4194310")).await;
    assert_eq!((status, headers["content-range"].to_str().unwrap()), (206, "bytes 4194300-4194310/9437187"));
    assert!(part == data[4_194_300..=4_194_310], "the part differs");
    let (status, _, tail) = get(Some("bytes=-3")).await;
    assert!(status == 206 && tail == data[data.len() - 3..], "the end differs");
    assert_eq!(get(Some("bytes=9437187-")).await.0, 416);
    delete(&cloud, &id).await;
}

#[tokio::test]
async fn a_converted_image_boots_and_its_guest_outlives_it() {
    let (cloud, lab) = (Cloud::from_env().await, Lab::from_env());
    let folder = tempfile::tempdir().unwrap();
    let (tiny, file) = (concat!(env!("CARGO_MANIFEST_DIR"), "/../.cache/guest/tiny.raw"), folder.path().join("tiny.vmdk"));
    let arguments = ["convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized", tiny, file.to_str().unwrap()];
    assert!(Command::new("qemu-img").args(arguments).status().unwrap().success());

    let body = json!({"name": "api converted", "disk_format": "vmdk", "container_format": "bare"});
    let id = cloud.post("/image/v2/images", &body).await.body["id"].as_str().unwrap().to_owned();
    let answer = upload(&cloud, &id, std::fs::read(&file).unwrap()).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    assert!(!lab.images("images").contains(&format!("{id}_upload")), "the upload is still there");

    let flavor = cloud.flavor("tiny").await;
    let body = json!({"server": {"name": "api converted", "imageRef": id, "flavorRef": flavor, "networks": "none"}});
    let answer = cloud.with_microversion("2.37").post("/compute/v2.1/servers", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let server = cuttle_tests::Server { id: answer.body["server"]["id"].as_str().unwrap().to_owned() };
    cloud.wait_for(&server, "ACTIVE").await;
    cloud.wait_for_console(&server, "CUTTLE-GUEST-READY", 1).await;

    delete(&cloud, &id).await;
    cloud.act(&server, json!({"os-stop": null})).await;
    cloud.wait_for(&server, "SHUTOFF").await;
    cloud.act(&server, json!({"os-start": null})).await;
    cloud.wait_for(&server, "ACTIVE").await;
    cloud.wait_for_console(&server, "CUTTLE-GUEST-READY", 2).await;
    cloud.delete_server(&server).await;
}

#[tokio::test]
async fn a_deactivated_image_is_not_booted() {
    let cloud = Cloud::from_env().await;
    let id = queued(&cloud, "api deactivated").await;
    assert_eq!(upload(&cloud, &id, data(4096)).await.status, 204);
    let act = async |action: &str| cloud.post(&format!("/image/v2/images/{id}/actions/{action}"), &json!({})).await.status;
    assert_eq!(act("deactivate").await, 204);
    assert_eq!(shown(&cloud, &id).await["status"], "deactivated");
    let body = json!({"server": {"name": "x", "imageRef": id, "flavorRef": cloud.flavor("tiny").await, "networks": "none"}});
    let answer = cloud.with_microversion("2.37").post("/compute/v2.1/servers", &body).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body["badRequest"]["message"].as_str().unwrap().contains("deactivated"), "{}", answer.body);
    assert_eq!(act("reactivate").await, 204);
    delete(&cloud, &id).await;
}

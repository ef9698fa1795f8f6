//! Servers over the wire: what is refused, how it is said, and that nothing of it is left behind.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use cuttle_tests::Cloud;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const NO_SUCH_ID: &str = "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b";

/// A good request, to be spoiled.
async fn good(cloud: &Cloud, name: &str) -> Value {
    let (image, flavor) = (cloud.image("tiny").await, cloud.flavor("tiny").await);
    json!({"server": {"name": name, "imageRef": image, "flavorRef": flavor, "networks": "none"}})
}

/// Refused with a 400 in Nova's shape that names the field.
async fn assert_refused(cloud: &Cloud, body: &Value, field: &str) {
    let answer = cloud.post("/compute/v2.1/servers", body).await;
    assert_eq!(answer.status, 400, "{field}: {}", answer.body);
    let message = answer.body["badRequest"]["message"].as_str().unwrap_or_default();
    assert_eq!(answer.body["badRequest"]["code"], 400, "{}", answer.body);
    assert!(message.contains(field), "{field}: {message}");
    assert!(answer.headers.contains_key("x-openstack-request-id") && answer.headers.contains_key("openstack-api-version"));
}

async fn servers_named(cloud: &Cloud, name: &str) -> usize {
    let answer = cloud.get(&format!("/compute/v2.1/servers?all_tenants=1&name={name}")).await;
    answer.body["servers"].as_array().unwrap_or_else(|| panic!("{}", answer.body)).len()
}

/// Uploads zeros without ever holding them.
async fn upload_zeros(cloud: &Cloud, image: &str, bytes: usize) -> String {
    let request = cloud.request(Method::PUT, &format!("/image/v2/images/{image}/file")).build().unwrap();
    let address = format!("{}:{}", request.url().host_str().unwrap(), request.url().port().unwrap());
    let token = request.headers()["x-auth-token"].to_str().unwrap();
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-Auth-Token: {token}\r\nContent-Type: application/octet-stream\r\nContent-Length: {bytes}\r\n\r\n",
        request.url().path()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let zeros = vec![0; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let size = left.min(zeros.len());
        stream.write_all(&zeros[..size]).await.unwrap();
        left -= size;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn bad_fields_are_named_and_leave_nothing() {
    let cloud = Cloud::from_env().await.with_microversion("2.100");
    let body = good(&cloud, "api-bad-field").await;
    for (field, value) in [
        ("name", json!("x".repeat(300))),
        ("name", json!("")),
        ("name", json!(5)),
        ("name", json!("a\u{0}b")),
        ("imageRef", json!("no-uuid")),
        ("imageRef", json!(NO_SUCH_ID)),
        ("imageRef", json!(7)),
        ("imageRef", json!("")),
        ("flavorRef", json!("no-such-flavor")),
        ("flavorRef", json!(null)),
        ("flavorRef", json!({})),
        ("networks", json!([{"uuid": NO_SUCH_ID}])),
        ("networks", json!([{"port": NO_SUCH_ID}])),
        ("networks", json!([{"uuid": "bad"}])),
        ("networks", json!("all")),
        ("min_count", json!(0)),
        ("max_count", json!("many")),
        ("metadata", json!({"k": 1})),
        ("metadata", json!({"k": "v".repeat(256)})),
        ("metadata", json!([])),
        ("key_name", json!("absent")),
        ("user_data", json!("%%%")),
        ("config_drive", json!("perhaps")),
        ("security_groups", json!([{"name": "default"}])),
        ("personality", json!([{"path": "/a", "contents": "Yg=="}])),
        ("availability_zone", json!("elsewhere")),
        (
            "block_device_mapping_v2",
            json!([{"boot_index": 0, "source_type": "volume", "destination_type": "volume", "uuid": NO_SUCH_ID}]),
        ),
        ("tags", json!(["a,b"])),
        ("hostname", json!("not a host name")),
        ("unheard_of", json!(1)),
    ] {
        let mut spoiled = body.clone();
        spoiled["server"][field] = value;
        assert_refused(&cloud, &spoiled, field).await;
    }
    for field in ["name", "flavorRef"] {
        let mut spoiled = body.clone();
        spoiled["server"].as_object_mut().unwrap().remove(field);
        assert_refused(&cloud, &spoiled, field).await;
    }
    let mut hinted = body.clone();
    hinted["os:scheduler_hints"] = json!({"query": "[]"});
    assert_refused(&cloud, &hinted, "os:scheduler_hints").await;
    assert_refused(&cloud, &json!({"server": "x"}), "server").await;
    assert_refused(&cloud, &json!({}), "server").await;
    assert_eq!(servers_named(&cloud, "api-bad-field").await, 0);
}

#[tokio::test]
async fn a_flavor_that_is_too_small_is_named() {
    let cloud = Cloud::from_env().await;
    let (small, image) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string());
    let flavor = json!({"flavor": {"name": small, "id": small, "ram": 16, "vcpus": 1, "disk": 1}});
    assert_eq!(cloud.post("/compute/v2.1/flavors", &flavor).await.status, 200);
    // More than the flavor's one GiB, sparse in Ceph as it holds zeros only.
    let formats = json!({"id": image, "name": "api large", "disk_format": "raw", "container_format": "bare", "min_ram": 8});
    assert_eq!(cloud.post("/image/v2/images", &formats).await.status, 201);
    let body = json!({"server": {"name": "api-too-small", "imageRef": image, "flavorRef": small}});
    assert_refused(&cloud, &body, "imageRef").await;
    let answer = upload_zeros(&cloud, &image, (1 << 30) + 512).await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert_refused(&cloud, &body, "flavorRef").await;

    let hungry = uuid::Uuid::new_v4().to_string();
    let formats = json!({"id": hungry, "name": "api hungry", "disk_format": "raw", "container_format": "bare", "min_ram": 64, "min_disk": 2});
    assert_eq!(cloud.post("/image/v2/images", &formats).await.status, 201);
    assert_eq!(cloud.put_bytes(&format!("/image/v2/images/{hungry}/file"), vec![1; 4096]).await.status, 204);
    let body = json!({"server": {"name": "api-too-small", "imageRef": hungry, "flavorRef": small}});
    assert_refused(&cloud, &body, "flavorRef").await;

    assert_eq!(servers_named(&cloud, "api-too-small").await, 0);
    for image in [&image, &hungry] {
        assert_eq!(cloud.delete(&format!("/image/v2/images/{image}")).await.status, 204);
    }
    assert_eq!(cloud.delete(&format!("/compute/v2.1/flavors/{small}")).await.status, 202);
}

#[tokio::test]
async fn malformed_and_oversize_bodies() {
    let cloud = Cloud::from_env().await;
    let server = format!("/compute/v2.1/servers/{NO_SUCH_ID}/action");
    for path in ["/compute/v2.1/servers", &server] {
        let send = async |kind: &str, body: Vec<u8>| {
            let request = cloud.request(Method::POST, path).header("content-type", kind).body(body);
            cloud.send(request).await
        };
        for body in ["", "{", "[]", "null", "{\"a\": 1e999}", &"[".repeat(9000)] {
            let answer = send("application/json", body.into()).await;
            assert_eq!(answer.status, 400, "{path} {body:.20}: {}", answer.body);
            assert_eq!(answer.body["badRequest"]["code"], 400);
        }
        assert_eq!(send("text/xml", b"{}".to_vec()).await.status, 415);
        let answer = send("application/json", vec![b' '; 200_000]).await;
        assert_eq!((answer.status.as_u16(), &answer.body["overLimit"]["code"]), (413, &json!(413)));
    }
}

#[tokio::test]
async fn ids_that_name_nothing_are_404() {
    let cloud = Cloud::from_env().await;
    for id in ["x", "%20", "-", "%00", "%ff", NO_SUCH_ID, &"a".repeat(3000)] {
        for (method, path, body) in [
            (Method::GET, format!("/compute/v2.1/servers/{id}"), None),
            (Method::DELETE, format!("/compute/v2.1/servers/{id}"), None),
            (Method::POST, format!("/compute/v2.1/servers/{id}/action"), Some(json!({"os-start": null}))),
            (Method::GET, format!("/compute/v2.1/flavors/{id}"), None),
            (Method::GET, format!("/image/v2/images/{id}"), None),
            (Method::DELETE, format!("/image/v2/images/{id}"), None),
        ] {
            let mut request = cloud.request(method.clone(), &path);
            if let Some(body) = &body {
                request = request.json(body);
            }
            let answer = cloud.send(request).await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn actions_that_do_not_fit() {
    let cloud = Cloud::from_env().await;
    let server = cloud.create_server("api-actions").await;
    for action in [
        json!({}),
        json!({"reboot": {"type": "GENTLE"}}),
        json!({"os-start": null, "os-stop": null}),
        json!({"os-getConsoleOutput": {"length": "x"}}),
    ] {
        let answer = cloud.act(&server, action.clone()).await;
        assert_eq!((answer.status.as_u16(), &answer.body["badRequest"]["code"]), (400, &json!(400)), "{action}: {}", answer.body);
    }
    cloud.wait_for(&server, "ACTIVE").await;
    let answer = cloud.act(&server, json!({"os-start": null})).await;
    assert_eq!(answer.status, 409, "{}", answer.body);
    let message = answer.body["conflictingRequest"]["message"].as_str().unwrap();
    assert!(message.contains("active") && message.contains("stop"), "{message}");
    cloud.delete_server(&server).await;
    assert_eq!(cloud.act(&server, json!({"os-start": null})).await.status, 404);
}

#[tokio::test]
async fn the_view_follows_the_microversion() {
    let cloud = Cloud::from_env().await;
    let server = cloud.create_server("api-view").await;
    cloud.wait_for(&server, "ACTIVE").await;
    for (version, field) in [
        (9, "locked"),
        (16, "host_status"),
        (19, "description"),
        (26, "tags"),
        (63, "trusted_image_certificates"),
        (71, "server_groups"),
        (73, "locked_reason"),
        (96, "pinned_availability_zone"),
        (100, "scheduler_hints"),
    ] {
        let before = cloud.with_microversion(&format!("2.{}", version - 1)).server(&server).await;
        let since = cloud.with_microversion(&format!("2.{version}")).server(&server).await;
        assert!(before.get(field).is_none() && since.get(field).is_some(), "{field}");
    }
    assert!(cloud.with_microversion("2.46").server(&server).await["flavor"]["id"].is_string());
    assert_eq!(cloud.with_microversion("2.47").server(&server).await["flavor"]["original_name"], "tiny");
    cloud.delete_server(&server).await;
}

#[tokio::test]
async fn several_at_once_are_numbered() {
    let cloud = Cloud::from_env().await.with_microversion("2.37");
    let mut body = good(&cloud, "api-several").await;
    body["server"]["max_count"] = json!(2);
    let answer = cloud.post("/compute/v2.1/servers", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let listed = cloud.get("/compute/v2.1/servers?name=%5Eapi-several-%5B0-9%5D%24&sort_key=display_name&sort_dir=asc").await;
    let servers = listed.body["servers"].as_array().unwrap();
    let names: Vec<_> = servers.iter().map(|server| server["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["api-several-1", "api-several-2"]);
    for server in servers {
        cloud.delete_server(&cuttle_tests::Server { id: server["id"].as_str().unwrap().to_owned() }).await;
    }
}

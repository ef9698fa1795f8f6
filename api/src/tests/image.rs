//! Images without their data.

use axum::http::StatusCode;
use cuttle_model::identity::Role;
use serde_json::json;

use super::Cloud;

#[tokio::test]
async fn an_image_is_queued_until_it_has_data() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Member).await;
    let body = json!({"name": "tiny", "disk_format": "raw", "container_format": "bare", "tags": ["b", "a", "b"], "hw_disk_bus": "virtio"});
    let answer = cloud.post(&token, "/image/v2/images", &body).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let image = &answer.body;
    assert_eq!(
        (&image["status"], &image["visibility"], &image["hw_disk_bus"]),
        (&json!("queued"), &json!("shared"), &json!("virtio"))
    );
    assert_eq!((&image["tags"], &image["owner"]), (&json!(["a", "b"]), &json!(project.id)));
    let id = image["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("http://cloud.test:8774/image/v2/images/{id}"));
    assert_eq!(cloud.get(&token, &format!("/image/v2/images/{id}")).await.body, *image);
    let mut again = body.clone();
    again["id"] = json!(id);
    assert_eq!(cloud.post(&token, "/image/v2/images", &again).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn who_sees_what() {
    let cloud = Cloud::new().await;
    let (mine, other) = (cloud.project("mine").await, cloud.project("other").await);
    let (me, admin, stranger) =
        (cloud.token(&mine, Role::Member).await, cloud.token(&mine, Role::Admin).await, cloud.token(&other, Role::Member).await);
    let create = async |token: &str, name: &str, visibility: &str| {
        cloud.post(token, "/image/v2/images", &json!({"name": name, "visibility": visibility})).await
    };
    let private = create(&me, "private", "private").await.body["id"].as_str().unwrap().to_owned();
    assert_eq!(create(&me, "public", "public").await.status, StatusCode::FORBIDDEN);
    assert_eq!(create(&admin, "public", "public").await.status, StatusCode::CREATED);
    assert_eq!(cloud.get(&stranger, &format!("/image/v2/images/{private}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(cloud.get(&admin, &format!("/image/v2/images/{private}")).await.status, StatusCode::OK);
    let names = async |token: &str, query: &str| {
        let body = cloud.get(token, &format!("/image/v2/images?sort_key=name&sort_dir=asc{query}")).await.body;
        body["images"].as_array().unwrap().iter().map(|image| image["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&me, "").await, ["private", "public"]);
    assert_eq!(names(&stranger, "").await, ["public"]);
    assert_eq!(names(&me, "&visibility=private").await, ["private"]);
    assert_eq!(names(&me, "&name=public").await, ["public"]);
    assert_eq!(names(&me, &format!("&id=in:{private},x")).await, ["private"]);
    assert_eq!(names(&me, "&status=active").await, [""; 0]);
    assert_eq!(names(&me, "&os_hidden=True").await, [""; 0]);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Member).await;
    for index in 0..5 {
        cloud.post(&token, "/image/v2/images", &json!({"name": format!("i{index}")})).await;
    }
    let mut path = "/v2/images?limit=2&sort=name:asc".to_owned();
    let mut seen = Vec::new();
    loop {
        let body = cloud.get(&token, &format!("/image{path}")).await.body;
        seen.extend(body["images"].as_array().unwrap().iter().map(|image| image["name"].as_str().unwrap().to_owned()));
        match body["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["i0", "i1", "i2", "i3", "i4"]);
    for bad in ["marker=x", "limit=x", "sort_key=x", "sort=name:up", "visibility=x", "status=x", "size_min=1"] {
        assert_eq!(cloud.get(&token, &format!("/image/v2/images?{bad}")).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn bad_images_are_refused_by_name() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Member).await;
    for (field, value, status) in [
        ("disk_format", json!("qcow2"), 400),
        ("name", json!("x".repeat(300)), 400),
        ("min_ram", json!(-5), 400),
        ("id", json!("x"), 400),
        ("status", json!("active"), 403),
        ("tags", json!(["x".repeat(300)]), 400),
        ("custom", json!({"a": 1}), 400),
        ("owner", json!("8c1f0d0e29e94c7b9f390d8f9c1d2a3b"), 403),
    ] {
        let answer = cloud.post(&token, "/image/v2/images", &json!({ field: value })).await;
        assert_eq!(answer.status.as_u16(), status, "{field}");
        assert!(answer.body["message"].as_str().unwrap().contains(field), "{}", answer.body);
    }
    assert_eq!(cloud.get(&token, "/image/v2/images").await.body["images"], json!([]));
}

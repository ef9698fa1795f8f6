//! Images without their data.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cuttle_model::identity::Role;
use serde_json::{Value, json};

use super::{Answer, Cloud};

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
    for bad in ["marker=x", "limit=x", "sort_key=x", "sort=name:up", "visibility=x", "status=x", "size_min=x"] {
        assert_eq!(cloud.get(&token, &format!("/image/v2/images?{bad}")).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn bad_images_are_refused_by_name() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Member).await;
    let many: serde_json::Map<String, Value> = (0..129).map(|index| (format!("k{index}"), json!("v"))).collect();
    assert_eq!(cloud.post(&token, "/image/v2/images", &Value::Object(many)).await.status, StatusCode::BAD_REQUEST);
    for (field, value, status) in [
        ("disk_format", json!("qcow3"), 400),
        ("container_format", json!("docker"), 400),
        ("name", json!("x".repeat(300)), 400),
        ("name", json!(5), 400),
        ("min_ram", json!(-5), 400),
        ("min_disk", json!("1"), 400),
        ("min_disk", json!(1_u64 << 40), 400),
        ("id", json!("x"), 400),
        ("visibility", json!("secret"), 400),
        ("visibility", json!("public"), 403),
        ("protected", json!("yes"), 400),
        ("os_hidden", json!("yes"), 400),
        ("status", json!("active"), 403),
        ("size", json!(1), 403),
        ("checksum", json!("x"), 403),
        ("created_at", json!("x"), 403),
        ("location", json!("x"), 403),
        ("os_glance_x", json!("x"), 403),
        ("cuttle_import_failure", json!("x"), 403),
        ("tags", json!(["x".repeat(300)]), 400),
        ("tags", json!("t"), 400),
        ("custom", json!({"a": 1}), 400),
        ("custom", json!(1), 400),
        ("custom", json!("a\u{0}b"), 400),
        ("owner", json!("8c1f0d0e29e94c7b9f390d8f9c1d2a3b"), 403),
        ("owner", json!("somebody"), 400),
    ] {
        let answer = cloud.post(&token, "/image/v2/images", &json!({ field: value })).await;
        assert_eq!(answer.status.as_u16(), status, "{field} {}", answer.body);
        assert!(answer.body["message"].as_str().unwrap().contains(field), "{field}: {}", answer.body);
    }
    assert_eq!(cloud.get(&token, "/image/v2/images").await.body["images"], json!([]));
}

const V21: &str = "application/openstack-images-v2.1-json-patch";

async fn patch(cloud: &Cloud, token: &str, id: &str, kind: &str, body: &Value) -> Answer {
    let request = Request::patch(format!("/image/v2/images/{id}")).header("x-auth-token", token).header("content-type", kind);
    cloud.send(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn send(cloud: &Cloud, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(format!("/image/v2/images/{path}"))
        .header("x-auth-token", token)
        .header("content-type", "application/json");
    cloud.send(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn create(cloud: &Cloud, token: &str, body: &Value) -> String {
    let answer = cloud.post(token, "/image/v2/images", body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.body["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_patch_changes_all_or_nothing() {
    let cloud = Cloud::new().await;
    let (mine, other) = (cloud.project("mine").await, cloud.project("other").await);
    let (me, admin) = (cloud.token(&mine, Role::Member).await, cloud.token(&mine, Role::Admin).await);
    let id = create(&cloud, &me, &json!({"name": "a", "k": "v", "tags": ["x"]})).await;
    let changes = json!([
        {"op": "replace", "path": "/name", "value": "b"},
        {"op": "add", "path": "/os_distro", "value": "debian"},
        {"op": "add", "path": "/a~1b", "value": "slash"},
        {"op": "remove", "path": "/k"},
        {"op": "replace", "path": "/tags", "value": ["z", "y", "z"]},
        {"op": "add", "path": "/min_disk", "value": 3},
        {"op": "replace", "path": "/disk_format", "value": "qcow2"},
        {"op": "replace", "path": "/container_format", "value": "bare"},
        {"op": "replace", "path": "/visibility", "value": "community"},
        {"op": "replace", "path": "/os_hidden", "value": true},
        {"op": "replace", "path": "/protected", "value": true},
    ]);
    let answer = patch(&cloud, &me, &id, V21, &changes).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let shown = cloud.get(&me, &format!("/image/v2/images/{id}")).await.body;
    assert_eq!(shown, answer.body);
    for (field, value) in [
        ("name", json!("b")),
        ("os_distro", json!("debian")),
        ("a/b", json!("slash")),
        ("k", Value::Null),
        ("tags", json!(["y", "z"])),
        ("min_disk", json!(3)),
        ("disk_format", json!("qcow2")),
        ("visibility", json!("community")),
        ("os_hidden", json!(true)),
        ("protected", json!(true)),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    let old = json!([{"replace": "/name", "value": "c"}, {"remove": "/os_distro"}]);
    let kind = "application/openstack-images-v2.0-json-patch";
    assert_eq!(patch(&cloud, &me, &id, kind, &old).await.body["name"], "c");

    let owner = json!([{"op": "replace", "path": "/owner", "value": other.id}]);
    assert_eq!(patch(&cloud, &me, &id, V21, &owner).await.status, StatusCode::FORBIDDEN);
    let public = json!([{"op": "replace", "path": "/visibility", "value": "public"}]);
    assert_eq!(patch(&cloud, &me, &id, V21, &public).await.status, StatusCode::FORBIDDEN);
    assert_eq!(patch(&cloud, &admin, &id, V21, &public).await.status, StatusCode::OK);
    assert_eq!(patch(&cloud, &admin, &id, V21, &owner).await.body["owner"], json!(other.id));
    assert_eq!(patch(&cloud, &me, &id, V21, &public).await.status, StatusCode::FORBIDDEN, "it is public, and another's now");
}

#[tokio::test]
async fn bad_patches_change_nothing() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Member).await;
    let id = create(&cloud, &token, &json!({"name": "a", "k": "v"})).await;
    let path = format!("/image/v2/images/{id}");
    let before = cloud.get(&token, &path).await.body;
    let good = json!({"op": "replace", "path": "/name", "value": "changed"});
    for (change, status, word) in [
        (json!({"op": "replace", "path": "/status", "value": "active"}), 403, "status"),
        (json!({"op": "add", "path": "/size", "value": 5}), 403, "size"),
        (json!({"op": "remove", "path": "/checksum"}), 403, "checksum"),
        (json!({"op": "replace", "path": "/id", "value": "x"}), 403, "id"),
        (json!({"op": "add", "path": "/deleted", "value": "x"}), 403, "deleted"),
        (json!({"op": "add", "path": "/os_glance_import", "value": "x"}), 403, "reserved"),
        (json!({"op": "remove", "path": "/name"}), 403, "name"),
        (json!({"op": "remove", "path": "/visibility"}), 403, "visibility"),
        (json!({"op": "remove", "path": "/missing"}), 409, "missing"),
        (json!({"op": "replace", "path": "/missing", "value": "x"}), 409, "missing"),
        (json!({"op": "replace", "path": "/name", "value": "x".repeat(256)}), 400, "name"),
        (json!({"op": "replace", "path": "/min_ram", "value": -1}), 400, "min_ram"),
        (json!({"op": "replace", "path": "/protected", "value": "true"}), 400, "protected"),
        (json!({"op": "replace", "path": "/visibility", "value": "x"}), 400, "visibility"),
        (json!({"op": "replace", "path": "/tags", "value": [1]}), 400, "tags"),
        (json!({"op": "replace", "path": "/disk_format", "value": "x"}), 400, "disk_format"),
        (json!({"op": "add", "path": "/k2", "value": {"a": "b"}}), 400, "k2"),
        (json!({"op": "add", "path": format!("/{}", "k".repeat(300)), "value": "x"}), 400, "keys"),
        (json!({"op": "test", "path": "/name", "value": "a"}), 400, "test"),
        (json!({"op": "add", "path": "/tags/-", "value": "x"}), 400, "tags"),
        (json!({"op": "add", "path": "/k2"}), 400, "value"),
        (json!("x"), 400, "objects"),
    ] {
        let answer = patch(&cloud, &token, &id, V21, &json!([good, change])).await;
        assert_eq!(answer.status.as_u16(), status, "{change} {}", answer.body);
        assert!(answer.body["message"].as_str().unwrap().contains(word), "{change} {}", answer.body);
    }
    for kind in ["application/json", "", "text/plain"] {
        let answer = patch(&cloud, &token, &id, kind, &json!([good])).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
        assert!(answer.header("accept-patch").contains(V21));
    }
    assert_eq!(patch(&cloud, &token, &id, V21, &json!({})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(cloud.get(&token, &path).await.body, before);
    let missing = "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b";
    assert_eq!(patch(&cloud, &token, missing, V21, &json!([good])).await.status, StatusCode::NOT_FOUND);
    let reader = cloud.token(&project, Role::Reader).await;
    assert_eq!(patch(&cloud, &reader, &id, V21, &json!([good])).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn tags_come_and_go() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Member).await;
    let id = create(&cloud, &token, &json!({"tags": ["b"]})).await;
    for tag in ["a", "b", "c%20d", "%E2%82%AC"] {
        assert_eq!(send(&cloud, &token, "PUT", &format!("{id}/tags/{tag}"), &json!({})).await.status, StatusCode::NO_CONTENT);
    }
    let tags = async || cloud.get(&token, &format!("/image/v2/images/{id}")).await.body["tags"].clone();
    assert_eq!(tags().await, json!(["a", "b", "c d", "€"]));
    assert_eq!(send(&cloud, &token, "DELETE", &format!("{id}/tags/b"), &json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(send(&cloud, &token, "DELETE", &format!("{id}/tags/b"), &json!({})).await.status, StatusCode::NOT_FOUND);
    let long = format!("{id}/tags/{}", "x".repeat(256));
    assert_eq!(send(&cloud, &token, "PUT", &long, &json!({})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(send(&cloud, &token, "PUT", &format!("{id}/tags/a%00"), &json!({})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(send(&cloud, &token, "PUT", "x/tags/a", &json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(tags().await, json!(["a", "c d", "€"]));
}

#[tokio::test]
async fn an_image_is_shared_by_its_owner_and_accepted_by_the_other() {
    let cloud = Cloud::new().await;
    let (mine, other, third) = (cloud.project("mine").await, cloud.project("other").await, cloud.project("third").await);
    let (me, them, stranger) = (
        cloud.token(&mine, Role::Member).await,
        cloud.token(&other, Role::Member).await,
        cloud.token(&third, Role::Member).await,
    );
    let id = create(&cloud, &me, &json!({"name": "shared"})).await;
    let (path, members) = (format!("/image/v2/images/{id}"), format!("{id}/members"));
    let member = json!({"member": other.id});
    assert_eq!(send(&cloud, &them, "POST", &members, &member).await.status, StatusCode::NOT_FOUND);
    let answer = send(&cloud, &me, "POST", &members, &member).await;
    assert_eq!((answer.status, &answer.body["status"]), (StatusCode::OK, &json!("pending")), "{}", answer.body);
    assert_eq!(answer.body["member_id"], json!(other.id));
    assert_eq!(send(&cloud, &me, "POST", &members, &member).await.status, StatusCode::CONFLICT);
    for bad in [json!({}), json!({"member": 5}), json!({"member": "x"})] {
        let answer = send(&cloud, &me, "POST", &members, &bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.body["message"].as_str().unwrap().contains("member"));
    }
    let names = async |token: &str, query: &str| {
        let body = cloud.get(token, &format!("/image/v2/images?{query}")).await.body;
        body["images"].as_array().unwrap_or_else(|| panic!("{body}")).len()
    };
    assert_eq!(cloud.get(&them, &path).await.status, StatusCode::OK, "it may be used before it is accepted");
    assert_eq!(cloud.get(&stranger, &path).await.status, StatusCode::NOT_FOUND);
    assert_eq!((names(&them, "").await, names(&them, "visibility=shared&member_status=pending").await), (0, 1));
    let mine_of_them = format!("{members}/{}", other.id);
    let accept = json!({"status": "accepted"});
    assert_eq!(send(&cloud, &me, "PUT", &mine_of_them, &accept).await.status, StatusCode::FORBIDDEN);
    assert_eq!(send(&cloud, &them, "PUT", &mine_of_them, &json!({"status": "x"})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(send(&cloud, &them, "PUT", &mine_of_them, &accept).await.body["status"], "accepted");
    assert_eq!((names(&them, "").await, names(&them, "member_status=all").await), (1, 1));

    send(&cloud, &me, "POST", &members, &json!({"member": third.id})).await;
    let listed =
        async |token: &str| cloud.get(token, &format!("{path}/members")).await.body["members"].as_array().map_or(0, Vec::len);
    assert_eq!((listed(&me).await, listed(&them).await), (2, 1), "a member sees itself only");
    let third_of_it = format!("{members}/{}", third.id);
    assert_eq!(cloud.get(&them, &format!("/image/v2/images/{third_of_it}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(cloud.get(&me, &format!("/image/v2/images/{third_of_it}")).await.status, StatusCode::OK);
    assert_eq!(patch(&cloud, &them, &id, V21, &json!([{"op": "replace", "path": "/name", "value": "x"}])).await.status, 403);
    assert_eq!(send(&cloud, &them, "DELETE", &mine_of_them, &json!({})).await.status, StatusCode::FORBIDDEN);
    assert_eq!(send(&cloud, &me, "DELETE", &mine_of_them, &json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(send(&cloud, &me, "DELETE", &mine_of_them, &json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(cloud.get(&them, &path).await.status, StatusCode::NOT_FOUND);

    let private = json!([{"op": "replace", "path": "/visibility", "value": "private"}]);
    assert_eq!(patch(&cloud, &me, &id, V21, &private).await.status, StatusCode::OK);
    assert_eq!(send(&cloud, &me, "POST", &members, &member).await.status, StatusCode::FORBIDDEN);
    assert_eq!(cloud.get(&stranger, &path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn filters_and_hidden_images() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Member).await;
    create(&cloud, &token, &json!({"name": "one", "os_distro": "debian", "tags": ["t"], "min_ram": 5, "disk_format": "raw"}))
        .await;
    create(&cloud, &token, &json!({"name": "two,2", "protected": true, "disk_format": "qcow2", "container_format": "bare"}))
        .await;
    create(&cloud, &token, &json!({"name": "three", "os_hidden": true})).await;
    let names = async |query: &str| {
        let answer = cloud.get(&token, &format!("/image/v2/images?sort=name:asc&{query}")).await;
        let images = answer.body["images"].as_array().unwrap_or_else(|| panic!("{query}: {}", answer.body)).clone();
        images.iter().map(|image| image["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (query, expected) in [
        ("", &["one", "two,2"][..]),
        ("os_hidden=true", &["three"]),
        ("os_distro=debian", &["one"]),
        ("os_distro=x", &[]),
        ("tag=t", &["one"]),
        ("name=in:one,%22two,2%22", &["one", "two,2"]),
        ("name=in:two", &[]),
        ("protected=True", &["two,2"]),
        ("min_ram=5", &["one"]),
        ("disk_format=in:qcow2,vdi", &["two,2"]),
        ("container_format=bare", &["two,2"]),
        ("status=in:queued,killed", &["one", "two,2"]),
        ("status=killed", &[]),
        ("status=deactivated", &[]),
        ("size_min=1", &[]),
        ("created_at=gt:2020-01-01T00:00:00Z", &["one", "two,2"]),
        ("created_at=lt:2020-01-01T00:00:00Z", &[]),
        ("updated_at=neq:2020-01-01T00:00:00%2B00:00", &["one", "two,2"]),
        ("os_hash_algo=md5", &[]),
        ("owner=somebody", &[]),
        ("visibility=community", &[]),
        ("visibility=all", &["one", "two,2"]),
    ] {
        assert_eq!(names(query).await, expected, "{query}");
    }
    for (field, query) in [
        ("os_hidden", "os_hidden=x"),
        ("protected", "protected=x"),
        ("min_disk", "min_disk=x"),
        ("size_max", "size_max=-1"),
        ("created_at", "created_at=gt:yesterday"),
        ("updated_at", "updated_at=x"),
        ("member_status", "member_status=x"),
        ("name", "name=in:%22a"),
        ("status", "status=in:active,x"),
        ("sort_key", "sort_key=tags"),
        ("visibility", "visibility=x"),
        ("marker", "marker=8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b"),
    ] {
        let answer = cloud.get(&token, &format!("/image/v2/images?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.body["message"].as_str().unwrap().contains(field), "{query}: {}", answer.body);
    }
}

#[tokio::test]
async fn an_image_without_data_cannot_be_deactivated() {
    let cloud = Cloud::new().await;
    let project = cloud.project("p").await;
    let token = cloud.token(&project, Role::Member).await;
    let id = create(&cloud, &token, &json!({})).await;
    for action in ["deactivate", "reactivate"] {
        let answer = send(&cloud, &token, "POST", &format!("{id}/actions/{action}"), &json!({})).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.body["message"].as_str().unwrap().contains("queued"), "{}", answer.body);
    }
    let missing = "8c1f0d0e-29e9-4c7b-9f39-0d8f9c1d2a3b/actions/deactivate";
    assert_eq!(send(&cloud, &token, "POST", missing, &json!({})).await.status, StatusCode::NOT_FOUND);
    for schema in ["image", "images", "member", "members"] {
        assert_eq!(cloud.get(&token, &format!("/image/v2/schemas/{schema}")).await.body["name"], *schema);
    }
}

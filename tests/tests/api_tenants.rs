//! Another project's things do not exist: for each route of Compute and Image, by the committed OpenAPI
//! document, what a member of another project is answered. A route without an entry below fails.

// A test that meets what it did not expect shall panic.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use cuttle_tests::{Cloud, Server};
use reqwest::Method;
use serde_json::{Value, json};

/// What a stranger finds.
enum Stranger {
    /// 404, as if it were not there; a body that would be taken of the owner.
    Nothing(Value),
    /// A list without it.
    Unlisted,
    /// 403: for administrators, or about projects that the stranger may not look into.
    Forbidden(Value),
    /// It is nobody's in particular, or always the asking user's own.
    Shared,
}

use Stranger::{Forbidden, Nothing, Shared, Unlisted};

/// Method, path, and what is found there. `{server}` and `{image}` stand for what the other project has.
#[rustfmt::skip]
fn table() -> Vec<(&'static str, &'static str, Stranger)> {
    let none = || Value::Null;
    vec![
        ("GET", "/compute/", Shared),
        ("GET", "/compute/v2.1/", Shared),
        ("GET", "/compute/v2.1/flavors", Shared),
        ("GET", "/compute/v2.1/flavors/detail", Shared),
        ("GET", "/compute/v2.1/flavors/{id}", Nothing(none())),
        ("GET", "/compute/v2.1/flavors/{id}/os-extra_specs", Nothing(none())),
        ("GET", "/compute/v2.1/flavors/{id}/os-extra_specs/{key}", Nothing(none())),
        ("GET", "/compute/v2.1/limits", Shared),
        ("GET", "/compute/v2.1/os-availability-zone", Shared),
        ("GET", "/compute/v2.1/os-keypairs", Unlisted),
        ("POST", "/compute/v2.1/os-keypairs", Shared),
        ("GET", "/compute/v2.1/os-keypairs/{id}", Nothing(none())),
        ("DELETE", "/compute/v2.1/os-keypairs/{id}", Nothing(none())),
        ("GET", "/compute/v2.1/os-quota-sets/{id}", Forbidden(none())),
        ("GET", "/compute/v2.1/os-quota-sets/{id}/defaults", Shared),
        ("GET", "/compute/v2.1/os-quota-sets/{id}/detail", Forbidden(none())),
        ("GET", "/compute/v2.1/os-simple-tenant-usage/{id}", Forbidden(none())),
        ("GET", "/compute/v2.1/os-server-groups", Unlisted),
        ("POST", "/compute/v2.1/os-server-groups", Shared),
        ("GET", "/compute/v2.1/os-server-groups/{id}", Nothing(none())),
        ("DELETE", "/compute/v2.1/os-server-groups/{id}", Nothing(none())),
        ("GET", "/compute/v2.1/servers", Unlisted),
        ("GET", "/compute/v2.1/servers/detail", Unlisted),
        ("POST", "/compute/v2.1/servers", Shared),
        ("GET", "/compute/v2.1/servers/{id}", Nothing(none())),
        ("PUT", "/compute/v2.1/servers/{id}", Nothing(json!({"server": {"name": "stolen"}}))),
        ("DELETE", "/compute/v2.1/servers/{id}", Nothing(none())),
        ("POST", "/compute/v2.1/servers/{id}/action", Nothing(json!({"os-stop": null}))),
        ("GET", "/compute/v2.1/servers/{id}/metadata", Nothing(none())),
        ("POST", "/compute/v2.1/servers/{id}/metadata", Nothing(json!({"metadata": {"a": "b"}}))),
        ("PUT", "/compute/v2.1/servers/{id}/metadata", Nothing(json!({"metadata": {}}))),
        ("GET", "/compute/v2.1/servers/{id}/metadata/{key}", Nothing(none())),
        ("PUT", "/compute/v2.1/servers/{id}/metadata/{key}", Nothing(json!({"meta": {"key": "b"}}))),
        ("DELETE", "/compute/v2.1/servers/{id}/metadata/{key}", Nothing(none())),
        ("GET", "/compute/v2.1/servers/{id}/os-instance-actions", Nothing(none())),
        ("GET", "/compute/v2.1/servers/{id}/os-instance-actions/{key}", Nothing(none())),
        ("GET", "/compute/v2.1/servers/{id}/tags", Nothing(none())),
        ("PUT", "/compute/v2.1/servers/{id}/tags", Nothing(json!({"tags": []}))),
        ("DELETE", "/compute/v2.1/servers/{id}/tags", Nothing(none())),
        ("GET", "/compute/v2.1/servers/{id}/tags/{key}", Nothing(none())),
        ("PUT", "/compute/v2.1/servers/{id}/tags/{key}", Nothing(none())),
        ("DELETE", "/compute/v2.1/servers/{id}/tags/{key}", Nothing(none())),
        ("GET", "/image/", Shared),
        ("GET", "/image/v2/", Shared),
        ("GET", "/image/v2/images", Unlisted),
        ("POST", "/image/v2/images", Shared),
        ("GET", "/image/v2/images/{id}", Nothing(none())),
        ("PATCH", "/image/v2/images/{id}", Nothing(json!([{"op": "replace", "path": "/name", "value": "stolen"}]))),
        ("DELETE", "/image/v2/images/{id}", Nothing(none())),
        ("POST", "/image/v2/images/{id}/actions/deactivate", Nothing(none())),
        ("POST", "/image/v2/images/{id}/actions/reactivate", Nothing(none())),
        ("GET", "/image/v2/images/{id}/file", Nothing(none())),
        ("PUT", "/image/v2/images/{id}/file", Nothing(none())),
        ("GET", "/image/v2/images/{id}/members", Nothing(none())),
        ("POST", "/image/v2/images/{id}/members", Nothing(json!({"member": "8c1f0d0e29e94c7b9f390d8f9c1d2a3b"}))),
        ("GET", "/image/v2/images/{id}/members/{member}", Nothing(none())),
        ("PUT", "/image/v2/images/{id}/members/{member}", Nothing(json!({"status": "accepted"}))),
        ("DELETE", "/image/v2/images/{id}/members/{member}", Nothing(none())),
        ("PUT", "/image/v2/images/{id}/tags/{tag}", Nothing(none())),
        ("DELETE", "/image/v2/images/{id}/tags/{tag}", Nothing(none())),
        ("GET", "/image/v2/schemas/image", Shared),
        ("GET", "/image/v2/schemas/images", Shared),
        ("GET", "/image/v2/schemas/member", Shared),
        ("GET", "/image/v2/schemas/members", Shared),
        ("GET", "/image/versions", Shared),
    ]
}

/// The routes of Compute and Image that members may use at all.
fn documented() -> BTreeSet<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compatibility.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let routes = rows.filter_map(|row| match row.split(" | ").collect::<Vec<_>>()[..] {
        [method, path, access] if access != "admin" => Some((method.to_owned(), path.trim_matches('`').to_owned())),
        _ => None,
    });
    routes.filter(|(_, path)| path.starts_with("/compute/") || path.starts_with("/image/")).collect()
}

#[test]
fn every_route_has_an_entry() {
    let listed: BTreeSet<_> = table().into_iter().map(|(method, path, _)| (method.to_owned(), path.to_owned())).collect();
    let documented = documented();
    let missing: Vec<_> = documented.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&documented).collect();
    assert!(missing.is_empty() && gone.is_empty(), "without an entry: {missing:?}; no route: {gone:?}");
    assert!(listed.len() > 50);
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti user@example.com";

/// What the other project has.
struct Victim {
    cloud: Cloud,
    server: Server,
    image: String,
    flavor: String,
    group: String,
    project: String,
}

impl Victim {
    async fn new(cloud: Cloud) -> Self {
        let image = cloud
            .post(
                "/image/v2/images",
                &json!({"name": "tenants", "visibility": "private", "tags": ["tag"],
            "disk_format": "raw", "container_format": "bare"}),
            )
            .await;
        let image = image.body["id"].as_str().unwrap_or_else(|| panic!("{}", image.body)).to_owned();
        let path = format!("/image/v2/images/{image}/file");
        assert_eq!(cloud.put_bytes(&path, vec![0; 1 << 20]).await.status, 204);
        let flavor =
            json!({"flavor": {"name": "tenants", "ram": 64, "vcpus": 1, "disk": 1, "os-flavor-access:is_public": false}});
        let flavor = cloud.post("/compute/v2.1/flavors", &flavor).await;
        let flavor = flavor.body["flavor"]["id"].as_str().unwrap_or_else(|| panic!("{}", flavor.body)).to_owned();
        let keypair = cloud.post("/compute/v2.1/os-keypairs", &json!({"keypair": {"name": "tenants", "public_key": KEY}})).await;
        assert!(keypair.status.is_success(), "{}", keypair.body);
        let group = json!({"server_group": {"name": "tenants", "policy": "affinity"}});
        let group = cloud.post("/compute/v2.1/os-server-groups", &group).await;
        let group = group.body["server_group"]["id"].as_str().unwrap_or_else(|| panic!("{}", group.body)).to_owned();
        let tiny = cloud.image("tiny").await;
        let server = json!({"server": {"name": "tenants", "imageRef": tiny, "flavorRef": flavor, "metadata": {"key": "value"},
            "tags": ["key"], "networks": "none"}});
        let server = cloud.post("/compute/v2.1/servers", &server).await;
        let server = Server { id: server.body["server"]["id"].as_str().unwrap_or_else(|| panic!("{}", server.body)).to_owned() };
        let shown = cloud.wait_for(&server, "ACTIVE").await;
        // After the server was placed: no aggregate's hosts have it.
        let specs = format!("/compute/v2.1/flavors/{flavor}/os-extra_specs");
        assert_eq!(cloud.post(&specs, &json!({"extra_specs": {"key": "value"}})).await.status, 200);
        let project = shown["tenant_id"].as_str().unwrap().to_owned();
        Self { cloud, server, image, flavor, group, project }
    }

    /// A route's path with this project's own things in the place of parameters.
    fn path(&self, template: &str) -> String {
        let id = match template {
            path if path.contains("/servers/") => &self.server.id,
            path if path.contains("/images/") => &self.image,
            path if path.contains("/flavors/") => &self.flavor,
            path if path.contains("/os-server-groups/") => &self.group,
            path if path.contains("/os-keypairs/") => "tenants",
            _ => &self.project,
        };
        let path = template.replace("{id}", id).replace("{key}", "key").replace("{tag}", "tag");
        path.replace("{member}", "8c1f0d0e29e94c7b9f390d8f9c1d2a3b")
    }

    /// Everything that a stranger might have changed.
    async fn looks(&self) -> Vec<Value> {
        let mut seen = Vec::new();
        for path in [
            format!("/compute/v2.1/servers/{}", self.server.id),
            format!("/image/v2/images/{}", self.image),
            format!("/image/v2/images/{}/members", self.image),
            format!("/compute/v2.1/os-server-groups/{}", self.group),
            "/compute/v2.1/os-keypairs/tenants".to_owned(),
        ] {
            seen.push(self.cloud.get(&path).await.body);
        }
        seen
    }

    async fn end(self) {
        self.cloud.delete_server(&self.server).await;
        for path in [
            format!("/image/v2/images/{}", self.image),
            format!("/compute/v2.1/flavors/{}", self.flavor),
            format!("/compute/v2.1/os-server-groups/{}", self.group),
            "/compute/v2.1/os-keypairs/tenants".to_owned(),
        ] {
            assert!(self.cloud.delete(&path).await.status.is_success(), "{path}");
        }
    }
}

/// A member of a project that has nothing; with what is to be deleted in the end.
async fn stranger(cloud: &Cloud) -> (Cloud, [String; 2]) {
    const PASSWORD: &str = "a-stranger-to-all";
    let project = cloud.post("/identity/v3/projects", &json!({"project": {"name": "strangers"}})).await;
    let project = project.body["project"]["id"].as_str().unwrap_or_else(|| panic!("{}", project.body)).to_owned();
    let user = cloud.post("/identity/v3/users", &json!({"user": {"name": "stranger", "password": PASSWORD}})).await;
    let user = user.body["user"]["id"].as_str().unwrap_or_else(|| panic!("{}", user.body)).to_owned();
    let roles = cloud.get("/identity/v3/roles?name=member").await;
    let role = roles.body["roles"][0]["id"].as_str().unwrap_or_else(|| panic!("{}", roles.body)).to_owned();
    let assigned = cloud.request(Method::PUT, &format!("/identity/v3/projects/{project}/users/{user}/roles/{role}"));
    assert_eq!(cloud.send(assigned).await.status, 204);
    let answer = cloud.anonymous().authenticate("stranger", PASSWORD, Some("strangers")).await;
    let token = answer.headers["x-subject-token"].to_str().unwrap().to_owned();
    (cloud.with_token(&token), [format!("/identity/v3/users/{user}"), format!("/identity/v3/projects/{project}")])
}

#[tokio::test]
async fn another_projects_things_do_not_exist() {
    let admin = Cloud::from_env().await.with_microversion("2.100");
    let victim = Victim::new(admin.clone()).await;
    let (stranger, accounts) = stranger(&admin).await;
    let before = victim.looks().await;
    for (method, template, expected) in table() {
        let path = victim.path(template);
        let request = stranger.request(Method::from_bytes(method.as_bytes()).unwrap(), &path);
        let (body, status) = match expected {
            Nothing(body) => (body, 404),
            Forbidden(body) => (body, 403),
            Unlisted => (Value::Null, 200),
            Shared => continue,
        };
        let request = match body {
            Value::Array(_) => {
                request.header("content-type", "application/openstack-images-v2.1-json-patch").body(body.to_string())
            }
            Value::Null if path.ends_with("/file") && method == "PUT" => {
                request.header("content-type", "application/octet-stream").body(vec![1; 512])
            }
            Value::Null => request,
            body => request.json(&body),
        };
        let answer = stranger.send(request).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        for own in [&victim.server.id, &victim.image, &victim.flavor, &victim.group] {
            let told = answer.body.to_string().contains(own.as_str()) && !path.contains(own.as_str());
            assert!(!told, "{method} {path} tells of {own}: {}", answer.body);
        }
    }
    // Widening the question does not help.
    assert_eq!(stranger.get("/compute/v2.1/servers?all_tenants=1").await.status, 403);
    for path in [
        format!("/compute/v2.1/servers?project_id={}", victim.project),
        format!("/compute/v2.1/servers?name=tenants&uuid={}", victim.server.id),
        format!("/image/v2/images?owner={}", victim.project),
        format!("/image/v2/images?id=in:{}", victim.image),
        "/image/v2/images?visibility=all".to_owned(),
    ] {
        let answer = stranger.get(&path).await;
        let text = answer.body.to_string().replace(&path, "");
        let marks = [&victim.server.id, &victim.image].map(|id| format!("\"id\":\"{id}\""));
        assert!(!marks.iter().any(|mark| text.contains(mark)), "{path}: {text}");
    }
    // Nor does naming what others have in what is one's own.
    let tiny = admin.flavor("tiny").await;
    let wanted = |image: &str, flavor: &str, extra: Value| {
        let mut server = json!({"name": "stolen", "imageRef": image, "flavorRef": flavor, "networks": "none"});
        server.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({ "server": server })
    };
    let public = admin.image("tiny").await;
    for body in [
        wanted(&victim.image, &tiny, json!({})),
        wanted(&public, &victim.flavor, json!({})),
        wanted(&public, &tiny, json!({"key_name": "tenants"})),
    ] {
        let answer = stranger.post("/compute/v2.1/servers", &body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
    }
    assert_eq!(victim.looks().await, before, "nothing was changed");
    victim.end().await;
    for path in accounts {
        assert_eq!(admin.delete(&path).await.status, 204, "{path}");
    }
}

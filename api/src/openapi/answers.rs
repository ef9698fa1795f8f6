//! What answers hold, and what a query may ask for. A fuzzer that is run against a real control plane
//! compares answers with this; a field that is not named here may come too.

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::web::routes::{Route, Service};

/// The status of success and what comes with it.
pub fn of(route: &Route) -> (String, Value) {
    let path = route.path.trim_end_matches('/');
    let (status, schema) = known(&route.method, path);
    let status = status.map_or_else(|| "2XX".to_owned(), |status| status.to_string());
    match schema {
        Some(schema) => (status, json!({ "description": "Done", "content": { "application/json": { "schema": schema } } })),
        None => (status, json!({ "description": "Done" })),
    }
}

/// Keys that lists understand, with their types.
pub fn query(route: &Route) -> &'static [(&'static str, &'static str)] {
    if route.method != Method::GET {
        return &[];
    }
    match (route.service, route.path.as_str()) {
        (Service::Compute, "/compute/v2.1/servers" | "/compute/v2.1/servers/detail") => &[
            ("limit", "integer"),
            ("marker", "string"),
            ("sort_key", "string"),
            ("sort_dir", "string"),
            ("name", "string"),
            ("status", "string"),
            ("image", "string"),
            ("flavor", "string"),
            ("changes-since", "string"),
            ("changes-before", "string"),
            ("all_tenants", "string"),
            ("host", "string"),
            ("project_id", "string"),
        ],
        (Service::Compute, "/compute/v2.1/flavors" | "/compute/v2.1/flavors/detail") => &[
            ("limit", "integer"),
            ("marker", "string"),
            ("sort_key", "string"),
            ("sort_dir", "string"),
            ("is_public", "string"),
            ("minRam", "integer"),
            ("minDisk", "integer"),
        ],
        (Service::Compute, "/compute/v2.1/os-migrations") => &[
            ("limit", "integer"),
            ("marker", "string"),
            ("host", "string"),
            ("source_compute", "string"),
            ("status", "string"),
            ("migration_type", "string"),
            ("instance_uuid", "string"),
            ("changes-since", "string"),
            ("changes-before", "string"),
            ("user_id", "string"),
            ("project_id", "string"),
        ],
        (Service::Image, "/image/v2/images") => &[
            ("limit", "integer"),
            ("marker", "string"),
            ("sort_key", "string"),
            ("sort_dir", "string"),
            ("sort", "string"),
            ("name", "string"),
            ("status", "string"),
            ("visibility", "string"),
            ("owner", "string"),
            ("id", "string"),
        ],
        (Service::Identity, "/identity/v3/projects" | "/identity/v3/users") => {
            &[("name", "string"), ("enabled", "string"), ("domain_id", "string")]
        }
        (Service::Identity, "/identity/v3/roles" | "/identity/v3/domains") => &[("name", "string")],
        (Service::Identity, "/identity/v3/role_assignments") => &[
            ("user.id", "string"),
            ("scope.project.id", "string"),
            ("role.id", "string"),
            ("effective", "string"),
            ("include_names", "string"),
        ],
        _ => &[],
    }
}

fn known(method: &Method, path: &str) -> (Option<u16>, Option<Value>) {
    let get = *method == Method::GET;
    let Some(rest) = path.strip_prefix("/identity/v3") else { return (None, elsewhere(method, path)) };
    let entities = [
        ("projects", "project", project()),
        ("users", "user", user()),
        ("roles", "role", role()),
        ("domains", "domain", object(&[("id", "string"), ("name", "string"), ("enabled", "boolean")])),
        ("services", "service", object(&[("id", "string"), ("type", "string"), ("name", "string"), ("enabled", "boolean")])),
        (
            "endpoints",
            "endpoint",
            object(&[("id", "string"), ("service_id", "string"), ("interface", "string"), ("url", "string")]),
        ),
        ("regions", "region", object(&[("id", "string")])),
    ];
    for (collection, kind, entity) in entities {
        if rest == format!("/{collection}") {
            return if get { (Some(200), Some(list(collection, entity))) } else { (Some(201), Some(one(kind, entity))) };
        }
        if rest == format!("/{collection}/{{id}}") {
            return if *method == Method::DELETE { (Some(204), None) } else { (Some(200), Some(one(kind, entity))) };
        }
    }
    let credential = || {
        object(&[("id", "string"), ("name", "string"), ("project_id", "string"), ("roles", "array"), ("unrestricted", "boolean")])
    };
    let tokens =
        || one("token", object(&[("methods", "array"), ("user", "object"), ("expires_at", "string"), ("issued_at", "string")]));
    let assignment = || object(&[("role", "object"), ("user", "object"), ("scope", "object")]);
    match (method.as_str(), rest) {
        ("POST", "/auth/tokens") => (Some(201), Some(tokens())),
        ("GET", "/auth/tokens") => (Some(200), Some(tokens())),
        ("GET", "/auth/projects" | "/users/{id}/projects") => (Some(200), Some(list("projects", project()))),
        ("GET", "/role_assignments") => (Some(200), Some(list("role_assignments", assignment()))),
        ("GET", "/projects/{id}/users/{user_id}/roles") => (Some(200), Some(list("roles", role()))),
        ("GET", "/users/{id}/application_credentials") => (Some(200), Some(list("application_credentials", credential()))),
        ("POST", "/users/{id}/application_credentials") => (Some(201), Some(one("application_credential", credential()))),
        ("GET", "/users/{id}/application_credentials/{credential_id}") => {
            (Some(200), Some(one("application_credential", credential())))
        }
        ("DELETE" | "PUT", _) | ("GET", "/projects/{id}/users/{user_id}/roles/{role_id}") | ("POST", "/users/{id}/password") => {
            (Some(204), None)
        }
        _ => (None, None),
    }
}

/// Compute's and image's.
fn elsewhere(method: &Method, path: &str) -> Option<Value> {
    match (method.as_str(), path) {
        ("GET", "/compute/v2.1/servers") => {
            Some(plain_list("servers", object(&[("id", "string"), ("name", "string"), ("links", "array")])))
        }
        ("GET", "/compute/v2.1/servers/detail") => Some(plain_list("servers", server())),
        ("GET", "/compute/v2.1/servers/{id}") => Some(one("server", server())),
        ("GET", "/compute/v2.1/flavors/detail") => Some(plain_list("flavors", flavor())),
        ("GET", "/compute/v2.1/flavors/{id}") | ("POST", "/compute/v2.1/flavors") => Some(one("flavor", flavor())),
        ("GET", "/image/v2/images") => Some(plain_list("images", image())),
        ("GET", "/image/v2/images/{id}") | ("POST", "/image/v2/images") => Some(image()),
        _ => None,
    }
}

fn object(fields: &[(&str, &str)]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|(name, kind)| ((*name).to_owned(), json!({ "type": kind }))).collect();
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    json!({ "type": "object", "properties": properties, "required": names })
}

fn one(kind: &str, entity: Value) -> Value {
    json!({ "type": "object", "properties": { kind: entity }, "required": [kind] })
}

fn plain_list(collection: &str, entity: Value) -> Value {
    one(collection, json!({ "type": "array", "items": entity }))
}

/// In Keystone's envelope.
fn list(collection: &str, entity: Value) -> Value {
    let mut list = plain_list(collection, entity);
    list["properties"]["links"] = json!({ "type": "object" });
    list
}

fn project() -> Value {
    object(&[("id", "string"), ("name", "string"), ("description", "string"), ("enabled", "boolean"), ("domain_id", "string")])
}

fn user() -> Value {
    object(&[("id", "string"), ("name", "string"), ("enabled", "boolean"), ("domain_id", "string")])
}

fn role() -> Value {
    object(&[("id", "string"), ("name", "string")])
}

fn server() -> Value {
    object(&[
        ("id", "string"),
        ("name", "string"),
        ("status", "string"),
        ("tenant_id", "string"),
        ("user_id", "string"),
        ("hostId", "string"),
        ("flavor", "object"),
        ("addresses", "object"),
        ("created", "string"),
        ("updated", "string"),
        ("metadata", "object"),
        ("links", "array"),
        ("OS-EXT-STS:vm_state", "string"),
        ("OS-EXT-STS:power_state", "integer"),
    ])
}

fn flavor() -> Value {
    object(&[
        ("id", "string"),
        ("name", "string"),
        ("ram", "integer"),
        ("vcpus", "integer"),
        ("disk", "integer"),
        ("links", "array"),
    ])
}

fn image() -> Value {
    object(&[
        ("id", "string"),
        ("status", "string"),
        ("visibility", "string"),
        ("owner", "string"),
        ("protected", "boolean"),
        ("tags", "array"),
        ("min_disk", "integer"),
        ("min_ram", "integer"),
        ("created_at", "string"),
        ("updated_at", "string"),
    ])
}

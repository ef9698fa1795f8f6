//! The OpenAPI document, made from the route table: paths and who may use them as they are declared, bodies
//! as they are checked, so that neither can differ from what the program does. What answers look like is in
//! [`answers`], which a fuzzer holds against real answers.
//!
//! It shows compute at the newest microversion.

mod actions;
pub mod answers;

use std::sync::OnceLock;

use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use crate::compute::microversion::Microversion;
use crate::shared::Shared;
use crate::web::routes::{Access, Route, Service};

/// `GET /openapi.json`: made when it is first asked for.
pub async fn serve(shared: Shared) -> impl IntoResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| document(&crate::public::table(&shared)).to_string());
    ([(CONTENT_TYPE, "application/json")], text.as_str())
}

/// The document for these routes.
pub fn document(routes: &[Route]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let path = paths.entry(route.path.clone()).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation(route);
    }
    let errors: Map<String, Value> = Service::ALL.into_iter().map(|service| (error_name(service), error(service))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cuttle",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("Compute at microversion {}. Generated from the route table.", Microversion::MAX),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "apiKey", "in": "header", "name": "X-Auth-Token" } },
            "schemas": errors,
        },
    })
}

fn operation(route: &Route) -> Value {
    let refusal = json!({
        "description": "Refused",
        "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{}", error_name(route.service)) } } },
    });
    let (status, answer) = answers::of(route);
    let mut operation = json!({
        "operationId": operation_id(route),
        "tags": [route.service.prefix().trim_start_matches('/')],
        "x-least-role": route.access.as_str(),
        "parameters": parameters(route),
        "responses": { status: answer, "4XX": refusal },
    });
    if route.access != Access::Public {
        operation["security"] = json!([{ "token": [] }]);
    }
    if let Some(body) = route.body {
        let content = json!({ "application/json": { "schema": body.at(Microversion::MAX) } });
        operation["requestBody"] = json!({ "required": true, "content": content });
    } else if route.path.ends_with("/action") {
        let content = json!({ "application/json": { "schema": actions::of(&route.path) } });
        operation["requestBody"] = json!({ "required": true, "content": content });
    } else if route.method == Method::PATCH && route.service == Service::Image {
        let change = json!({
            "type": "object",
            "properties": { "op": { "enum": ["add", "remove", "replace"] }, "path": { "type": "string" }, "value": {} },
            "required": ["op", "path"],
        });
        let kind = "application/openstack-images-v2.1-json-patch";
        let content = json!({ kind: { "schema": { "type": "array", "items": change } } });
        operation["requestBody"] = json!({ "required": true, "content": content });
    } else if route.method == Method::PUT && route.path.ends_with("/file") {
        let content = json!({ "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } });
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

/// `get_compute_v2.1_servers_id`.
fn operation_id(route: &Route) -> String {
    let words = route.path.split('/').filter(|word| !word.is_empty());
    let words = words.map(|word| word.trim_matches(['{', '}']).to_owned());
    std::iter::once(route.method.as_str().to_ascii_lowercase()).chain(words).collect::<Vec<_>>().join("_")
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }));
    let in_query = answers::query(route)
        .iter()
        .map(|(name, kind)| json!({ "name": name, "in": "query", "required": false, "schema": { "type": kind } }));
    let mut all: Vec<Value> = in_path.chain(in_query).collect();
    if route.service == Service::Compute {
        let newest = format!("compute {}", Microversion::MAX);
        all.push(json!({
            "name": "OpenStack-API-Version", "in": "header", "required": false,
            "schema": { "type": "string", "enum": [newest] },
        }));
    }
    all
}

fn error_name(service: Service) -> String {
    format!("{}-error", service.prefix().trim_start_matches('/'))
}

/// An error as [`crate::error`] writes it.
fn error(service: Service) -> Value {
    let fields = json!({ "code": { "type": "integer" }, "message": { "type": "string" }, "title": { "type": "string" } });
    let plain = json!({ "type": "object", "properties": fields, "required": ["code", "message"] });
    match service {
        Service::Image => plain,
        Service::Compute => json!({
            "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": plain,
        }),
        Service::Identity | Service::Operator => json!({
            "type": "object", "properties": { "error": plain }, "required": ["error"],
        }),
    }
}

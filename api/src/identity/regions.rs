//! Services, endpoints and the region, as lists: what the catalog says, for `openstack endpoint list`.
//! They follow from the program and its configuration, so nobody can change them here.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::identity::{catalog, envelope, self_link};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::path::PathId;
use crate::web::query::Pairs;

/// `GET /v3/services`, by type and name.
pub async fn services(State(shared): State<Shared>, address: Address, query: Pairs) -> Json<Value> {
    let shown = all_services(&shared, &address).into_iter().filter(|service| matches(service, &query, &["type", "name"]));
    Json(envelope(&address, "/services", "services", shown.collect()))
}

/// `GET /v3/services/{id}`.
pub async fn service(
    State(shared): State<Shared>,
    address: Address,
    PathId(id): PathId<String>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "service": find(all_services(&shared, &address), &id, "service")? })))
}

/// `GET /v3/endpoints`, by service, interface and region.
pub async fn endpoints(State(shared): State<Shared>, address: Address, query: Pairs) -> Json<Value> {
    let keys = ["service_id", "interface", "region_id", "region"];
    let shown = all_endpoints(&shared, &address).into_iter().filter(|endpoint| matches(endpoint, &query, &keys));
    Json(envelope(&address, "/endpoints", "endpoints", shown.collect()))
}

/// `GET /v3/endpoints/{id}`.
pub async fn endpoint(
    State(shared): State<Shared>,
    address: Address,
    PathId(id): PathId<String>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "endpoint": find(all_endpoints(&shared, &address), &id, "endpoint")? })))
}

/// `GET /v3/regions`.
pub async fn list(State(shared): State<Shared>, address: Address, query: Pairs) -> Json<Value> {
    // There are no regions within regions.
    let none = query.last("parent_region_id").is_some_and(|id| !id.is_empty());
    let shown = if none { Vec::new() } else { vec![region(&shared, &address)] };
    Json(envelope(&address, "/regions", "regions", shown))
}

/// `GET /v3/regions/{id}`.
pub async fn show(State(shared): State<Shared>, address: Address, PathId(id): PathId<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "region": find(vec![region(&shared, &address)], &id, "region")? })))
}

fn region(shared: &Shared, address: &Address) -> Value {
    json!({
        "id": shared.region,
        "description": "",
        "parent_region_id": null,
        "links": self_link(address, "regions", &crate::web::query::encoded(&shared.region)),
    })
}

fn entries(shared: &Shared, address: &Address) -> Vec<Value> {
    match catalog::catalog(&shared.region, address) {
        Value::Array(entries) => entries,
        _ => Vec::new(),
    }
}

fn all_services(shared: &Shared, address: &Address) -> Vec<Value> {
    let shown = entries(shared, address).into_iter().map(|mut entry| {
        let links = self_link(address, "services", entry["id"].as_str().unwrap_or_default());
        entry["enabled"] = json!(true);
        entry["description"] = json!("");
        entry["links"] = links;
        entry.as_object_mut().map(|entry| entry.remove("endpoints"));
        entry
    });
    shown.collect()
}

fn all_endpoints(shared: &Shared, address: &Address) -> Vec<Value> {
    let mut shown = Vec::new();
    for service in entries(shared, address) {
        for endpoint in service["endpoints"].as_array().into_iter().flatten() {
            let mut endpoint = endpoint.clone();
            endpoint["service_id"] = service["id"].clone();
            endpoint["enabled"] = json!(true);
            endpoint["links"] = self_link(address, "endpoints", endpoint["id"].as_str().unwrap_or_default());
            shown.push(endpoint);
        }
    }
    shown
}

fn matches(item: &Value, query: &Pairs, keys: &[&str]) -> bool {
    keys.iter().all(|key| query.last(key).is_none_or(|wanted| item[*key] == wanted))
}

fn find(items: Vec<Value>, id: &str, kind: &str) -> Result<Value, ApiError> {
    let found = items.into_iter().find(|item| item["id"] == id);
    found.ok_or_else(|| ApiError::NotFound(format!("Could not find {kind}.")))
}

//! The catalog: the services that answer here, each with its three interfaces.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::routes::Service;

/// `GET /v3/auth/catalog`.
pub async fn show(State(shared): State<Shared>, address: Address) -> Json<Value> {
    let links = json!({ "self": address.url("/identity/v3/auth/catalog"), "previous": null, "next": null });
    Json(json!({ "catalog": catalog(&shared.region, &address), "links": links }))
}

/// The services with their endpoints.
pub fn catalog(region: &str, address: &Address) -> Value {
    Service::ALL.into_iter().map(|service| entry(service, region, address)).collect()
}

fn entry(service: Service, region: &str, address: &Address) -> Value {
    let (kind, name, path) = match service {
        Service::Identity => ("identity", "keystone", "/identity/v3"),
        Service::Compute => ("compute", "nova", "/compute/v2.1"),
        Service::Image => ("image", "glance", "/image"),
        Service::Operator => ("cuttle-operator", "cuttle", "/operator/v1"),
    };
    let endpoint = |interface: &str| {
        json!({
            "id": constant_id(&format!("endpoint {kind} {interface}")),
            "interface": interface,
            "region": region,
            "region_id": region,
            "url": address.url(path),
        })
    };
    let endpoints: Vec<Value> = ["public", "internal", "admin"].into_iter().map(endpoint).collect();
    json!({ "id": constant_id(&format!("service {kind}")), "type": kind, "name": name, "endpoints": endpoints })
}

/// Services and endpoints are the program's, so their ids are the same in every cloud.
fn constant_id(what: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("cuttle {what}").as_bytes()).simple().to_string()
}

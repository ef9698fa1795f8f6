//! The one domain.

use axum::Json;
use cuttle_model::identity::{DEFAULT_DOMAIN, DEFAULT_DOMAIN_NAME};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::identity::{envelope, self_link};
use crate::web::address::Address;
use crate::web::path::PathId;
use crate::web::query::Pairs;

/// `GET /v3/domains`, by name.
pub async fn list(address: Address, query: Pairs) -> Json<Value> {
    let wanted = query.last("name").is_none_or(|name| name == DEFAULT_DOMAIN_NAME);
    let shown = if wanted { vec![view(&address)] } else { Vec::new() };
    Json(envelope(&address, "/domains", "domains", shown))
}

/// `GET /v3/domains/{id}`.
pub async fn show(address: Address, PathId(id): PathId<String>) -> Result<Json<Value>, ApiError> {
    match id == DEFAULT_DOMAIN {
        true => Ok(Json(json!({ "domain": view(&address) }))),
        false => Err(ApiError::NotFound("Could not find the domain.".into())),
    }
}

/// `GET /v3/auth/domains`: nobody has a role in a domain, only in projects.
pub async fn mine(address: Address) -> Json<Value> {
    Json(envelope(&address, "/auth/domains", "domains", Vec::new()))
}

fn view(address: &Address) -> Value {
    json!({
        "id": DEFAULT_DOMAIN,
        "name": DEFAULT_DOMAIN_NAME,
        "description": "The domain of all users and projects",
        "enabled": true,
        "tags": [],
        "options": {},
        "links": self_link(address, "domains", DEFAULT_DOMAIN),
    })
}

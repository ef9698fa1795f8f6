//! Which versions of the identity API exist: answered to anybody.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::web::address::Address;

/// `GET /identity` and `GET /identity/`.
pub async fn versions(address: Address) -> impl IntoResponse {
    (StatusCode::MULTIPLE_CHOICES, Json(json!({ "versions": { "values": [version(&address)] } })))
}

/// `GET /identity/v3` and `GET /identity/v3/`.
pub async fn v3(address: Address) -> Json<Value> {
    Json(json!({ "version": version(&address) }))
}

fn version(address: &Address) -> Value {
    json!({
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{ "rel": "self", "href": address.url("/identity/v3/") }],
        "media-types": [{ "base": "application/json", "type": "application/vnd.openstack.identity-v3+json" }],
    })
}

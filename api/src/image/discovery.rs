//! Which versions of the image API exist: answered to anybody.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::web::address::Address;

/// The newest is the one that brought hidden images and `os_hash_value`.
const VERSIONS: [&str; 8] = ["v2.7", "v2.6", "v2.5", "v2.4", "v2.3", "v2.2", "v2.1", "v2.0"];

/// `GET /image` and `GET /image/`.
pub async fn root(address: Address) -> impl IntoResponse {
    (StatusCode::MULTIPLE_CHOICES, Json(document(&address)))
}

/// `GET /image/versions`.
pub async fn versions(address: Address) -> Json<Value> {
    Json(document(&address))
}

/// `GET /image/v2` and `GET /image/v2/`.
pub async fn v2(address: Address) -> Json<Value> {
    Json(document(&address))
}

fn document(address: &Address) -> Value {
    let links = json!([{ "rel": "self", "href": address.url("/image/v2/") }]);
    let version = |(index, id): (usize, &&str)| json!({ "id": id, "status": if index == 0 { "CURRENT" } else { "SUPPORTED" }, "links": links });
    json!({ "versions": VERSIONS.iter().enumerate().map(version).collect::<Vec<_>>() })
}

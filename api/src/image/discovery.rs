//! Which versions of the image API exist: answered to anybody.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::web::address::Address;

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
    json!({ "versions": [{
        "id": "v2.2",
        "status": "CURRENT",
        "links": [{ "rel": "self", "href": address.url("/image/v2/") }],
    }] })
}

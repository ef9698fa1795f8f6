//! Which versions of the compute API exist: answered to anybody.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::web::address::Address;

/// `GET /compute` and `GET /compute/`.
pub async fn versions(address: Address) -> impl IntoResponse {
    (StatusCode::OK, Json(json!({ "versions": [version(&address)] })))
}

/// `GET /compute/v2.1` and `GET /compute/v2.1/`.
pub async fn v2_1(address: Address) -> Json<Value> {
    let mut version = version(&address);
    version["media-types"] =
        json!([{ "base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1" }]);
    Json(json!({ "version": version }))
}

fn version(address: &Address) -> Value {
    json!({
        "id": "v2.1",
        "status": "CURRENT",
        "version": Microversion::MAX.to_string(),
        "min_version": Microversion::MIN.to_string(),
        "updated": "2013-07-23T11:33:21Z",
        "links": [{ "rel": "self", "href": address.url("/compute/v2.1/") }],
    })
}

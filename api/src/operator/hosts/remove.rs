//! `DELETE /hosts/{name}`: the end of a host on which nothing is; `POST /hosts/{name}/rotate-key`: its next
//! cephx identity.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_model::host::HostName;
use cuttle_operations::host_keys;
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Controlled;
use crate::web::body::JsonBody;
use crate::web::path::PathId;
use crate::web::validation::Schema;

pub(super) static ROTATE: Schema = Schema::new(|_| json!({"type": "object", "additionalProperties": false}), &[]);

pub async fn remove(State(state): State<Controlled>, PathId(name): PathId<HostName>) -> Result<StatusCode, ApiError> {
    host_keys::remove(&state.control, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn rotate_key(
    State(state): State<Controlled>,
    PathId(name): PathId<HostName>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    ROTATE.check(Microversion::MIN, &body)?;
    let client = host_keys::rotate(&state.control, &name).await?;
    Ok(Json(json!({ "ceph_client": client })))
}

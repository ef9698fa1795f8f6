//! `GET /servers/{id}`.

use axum::Json;
use axum::extract::State;
use cuttle_model::ids::InstanceId;
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::compute::servers::{self, view::Viewer};
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::caller::Caller;
use crate::web::path::PathId;

pub async fn handle(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    address: Address,
    PathId(id): PathId<InstanceId>,
) -> Result<Json<Value>, ApiError> {
    let instance = servers::get(&shared, &caller, id).await?;
    let viewer = Viewer::new(&shared, &caller, version, address, std::slice::from_ref(&instance)).await?;
    let mut shown = viewer.detail(&instance);
    if version >= Microversion(71) {
        shown["server_groups"] = json!([]);
    }
    Ok(Json(json!({ "server": shown })))
}

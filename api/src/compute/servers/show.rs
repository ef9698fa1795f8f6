//! `GET /servers/{id}`.

use axum::extract::State;
use axum::response::Response;
use cuttle_model::ids::InstanceId;
use serde::Serialize;

use crate::compute::microversion::Microversion;
use crate::compute::servers::{self, detail::Detail, view::Viewer};
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::caller::Caller;
use crate::web::json;
use crate::web::path::PathId;

pub async fn handle(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    address: Address,
    PathId(id): PathId<InstanceId>,
) -> Result<Response, ApiError> {
    let instance = servers::get(&shared, &caller, id).await?;
    let viewer = Viewer::new(&shared, &caller, version, address, std::slice::from_ref(&instance)).await?;
    json::answer(&Body { server: viewer.single(&instance) }, 2048)
}

#[derive(Serialize)]
struct Body<'b> {
    server: Detail<'b>,
}

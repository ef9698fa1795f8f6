//! `DELETE /servers/{id}`: in any state; the instance is shown until it is gone.

use axum::extract::State;
use axum::http::StatusCode;
use cuttle_model::ids::InstanceId;
use cuttle_model::machine::Request;
use cuttle_operations::power;

use crate::compute::servers::{self, change};
use crate::error::ApiError;
use crate::shared::Controlled;
use crate::web::caller::Caller;
use crate::web::path::PathId;

pub async fn handle(
    State(state): State<Controlled>,
    caller: Caller,
    PathId(id): PathId<InstanceId>,
) -> Result<StatusCode, ApiError> {
    let instance = servers::get(&state.shared, &caller, id).await?;
    change::unless_locked(&caller, &instance)?;
    power::request(&state.control, &caller.requester()?, instance.id, Request::Delete).await?;
    Ok(StatusCode::NO_CONTENT)
}

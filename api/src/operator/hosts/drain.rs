//! `POST /hosts/{name}/drain`: closes a host to placement and moves its instances away; answers the operation that does it.
//! `POST /hosts/{name}/undrain`: ends that, and opens the host again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_model::host::HostName;
use cuttle_operations::{RequestError, drain};
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::operator::hosts::{show, view};
use crate::operator::operations;
use crate::shared::Controlled;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;
use crate::web::path::PathId;
use crate::web::validation::Schema;

pub(super) static DRAIN: Schema = Schema::new(
    |_| {
        json!({
            "type": "object",
            "properties": {
                "parallel": {"type": "integer", "minimum": 1, "maximum": 64},
                "cold": {"type": "boolean"},
            },
            "additionalProperties": false,
        })
    },
    &[],
);

pub(super) static UNDRAIN: Schema = Schema::new(|_| json!({"type": "object", "additionalProperties": false}), &[]);

pub async fn drain(
    State(state): State<Controlled>,
    caller: Caller,
    PathId(name): PathId<HostName>,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    DRAIN.check(Microversion::MIN, &body)?;
    let parallel = body["parallel"].as_u64().and_then(|number| u32::try_from(number).ok());
    let how = drain::How {
        parallel: parallel.unwrap_or(state.control.settings().drain_parallel),
        cold: body["cold"].as_bool().unwrap_or(false),
    };
    let id = drain::begin(&state.control, &caller.requester()?, &name, how).await.map_err(refused)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "operation": operations::shown(&state.shared, id).await? }))))
}

pub async fn undrain(
    State(state): State<Controlled>,
    PathId(name): PathId<HostName>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    UNDRAIN.check(Microversion::MIN, &body)?;
    drain::end(&state.control, &name).await.map_err(refused)?;
    Ok(Json(json!({ "host": view::host(&state.shared, &show::find(&state.shared, &name).await?) })))
}

/// Here the host is what is asked for, and not a word of a request.
fn refused(error: RequestError) -> ApiError {
    match error {
        RequestError::NoSuchHost(name) => ApiError::NotFound(format!("Host '{name}' could not be found.")),
        RequestError::Busy => ApiError::Conflict("The host is being drained already.".to_owned()),
        error => error.into(),
    }
}

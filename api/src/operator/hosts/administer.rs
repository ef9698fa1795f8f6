//! `POST /hosts/{name}/disable` and `…/enable`: takes a host out of placement, and puts it back. Its
//! instances run on. Safe to repeat; a second `disable` replaces the reason.

use axum::Json;
use axum::extract::State;
use cuttle_model::host::{Administrative, HostName};
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::operator::hosts::{show, view};
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::path::PathId;
use crate::web::validation::Schema;

static DISABLE: Schema = Schema::new(
    |_| {
        json!({
            "type": "object",
            "properties": {"reason": {"type": ["string", "null"], "minLength": 1, "maxLength": 255}},
            "additionalProperties": false,
        })
    },
    &[],
);

pub async fn disable(
    State(shared): State<Shared>,
    PathId(name): PathId<HostName>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    DISABLE.check(Microversion::MIN, &body)?;
    let reason = body["reason"].as_str().map(str::to_owned);
    set(&shared, &name, Administrative::Disabled { reason }).await
}

pub async fn enable(State(shared): State<Shared>, PathId(name): PathId<HostName>) -> Result<Json<Value>, ApiError> {
    set(&shared, &name, Administrative::Enabled).await
}

async fn set(shared: &Shared, name: &HostName, administrative: Administrative) -> Result<Json<Value>, ApiError> {
    let mut found = show::find(shared, name).await?;
    if !shared.database.set_administrative(found.host.id, &administrative).await? {
        // It was removed in this moment.
        return Err(ApiError::NotFound(format!("Host '{name}' could not be found.")));
    }
    found.host.administrative = administrative;
    Ok(Json(json!({ "host": view::host(shared, &found) })))
}

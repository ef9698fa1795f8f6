//! `POST /hosts` and `POST /hosts/{name}/rejoin`: a token with which a host may join, or join anew. It is
//! answered once and kept nowhere.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use cuttle_model::host::HostName;
use cuttle_operations::join::Issued;
use serde_json::json;

use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::operator::hosts::{show, view};
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::path::PathId;
use crate::web::validation::Schema;

pub(super) static ADD: Schema = Schema::new(
    |_| {
        json!({
            "type": "object",
            "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 63}},
            "required": ["name"],
            "additionalProperties": false,
        })
    },
    &[],
);

pub(super) static REJOIN: Schema = Schema::new(|_| json!({"type": "object", "additionalProperties": false}), &[]);

pub async fn add(State(shared): State<Shared>, JsonBody(body): JsonBody) -> Result<Response, ApiError> {
    ADD.check(Microversion::MIN, &body)?;
    let text = body["name"].as_str().unwrap_or_default();
    let name: HostName = text.parse().map_err(|why| ApiError::invalid("name", text, why))?;
    let (authority, lifetime) = (shared.authority.sha256(), shared.authority.join_token_lifetime);
    let issued = shared.registry().add(&name, authority, lifetime).await?;
    answer(&shared, StatusCode::CREATED, &issued).await
}

pub async fn rejoin(
    State(shared): State<Shared>,
    PathId(name): PathId<HostName>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    REJOIN.check(Microversion::MIN, &body)?;
    let (authority, lifetime) = (shared.authority.sha256(), shared.authority.join_token_lifetime);
    let issued = shared.registry().rejoin(&name, authority, lifetime).await?;
    answer(&shared, StatusCode::OK, &issued).await
}

async fn answer(shared: &Shared, status: StatusCode, issued: &Issued) -> Result<Response, ApiError> {
    let host = show::find(shared, &issued.host.name).await?;
    let body = json!({
        "host": view::host(shared, &host),
        "join_token": issued.token.expose(),
        "expires_at": issued.expires_at.to_micros_z(),
    });
    Ok((status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

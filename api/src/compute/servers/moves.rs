//! `resize` and `migrate` of `POST /servers/{id}/action`: another flavor, another host.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cuttle_model::flavor::FlavorId;
use cuttle_model::host::HostName;
use cuttle_model::instance::Instance;
use cuttle_operations::moving::{self, Move};
use serde_json::Value;

use crate::compute::{flavors, quotas};
use crate::error::ApiError;
use crate::shared::Controlled;
use crate::web::caller::Caller;
use crate::web::validation::shown;

/// Its owner may ask for it.
pub async fn resize(state: &Controlled, caller: &Caller, instance: &Instance, asked: &Value) -> Result<Response, ApiError> {
    let reference = match &asked["flavorRef"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let found = flavors::find(&state.shared, caller, &FlavorId(reference.clone())).await?;
    let flavor = found.filter(|flavor| !flavor.is_disabled);
    let flavor = flavor.ok_or_else(|| ApiError::invalid("flavorRef", &reference, "Flavor could not be found."))?;
    // It is the instance's project whose quota it is, whoever asks.
    let quota = cuttle_database::QuotaScope {
        project: instance.project_id,
        user: instance.user_id,
        ..quotas::scope(&state.shared, caller)?
    };
    let what = Move::Resize { flavor: Box::new(flavor), quota: Some(quota) };
    moving::begin(&state.control, &caller.requester()?, instance.id, what).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Only administrators know of hosts.
pub async fn migrate(state: &Controlled, caller: &Caller, instance: &Instance, asked: &Value) -> Result<Response, ApiError> {
    if !caller.is_admin() {
        return Err(ApiError::Forbidden("Policy doesn't allow os-migrate-server:migrate to be performed.".into()));
    }
    let host = match asked["host"].as_str() {
        None => None,
        Some(text) => {
            let unknown = |_| ApiError::BadRequest(format!("Compute host {} could not be found.", shown(&asked["host"])));
            Some(text.parse::<HostName>().map_err(unknown)?)
        }
    };
    moving::begin(&state.control, &caller.requester()?, instance.id, Move::Migrate { host }).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

//! `/flavors/{id}/os-extra_specs`: what a flavor says to the scheduler and to hosts.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_model::flavor::FlavorId;
use serde_json::{Value, json};

use crate::compute::flavors::{self, namespaces, schema};
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;
use crate::web::path::{PathId, PathPair};

/// From here on names in Nova's namespaces must be Nova's.
const CHECKED: Microversion = Microversion(86);

pub async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    PathId(flavors::Id(id)): PathId<flavors::Id>,
) -> Result<Json<Value>, ApiError> {
    let flavor = flavors::get(&shared, &caller, &id).await?;
    Ok(Json(json!({ "extra_specs": flavor.extra_specs })))
}

pub async fn show(
    State(shared): State<Shared>,
    caller: Caller,
    PathPair(flavors::Id(id), key): PathPair<flavors::Id>,
) -> Result<Json<Value>, ApiError> {
    let flavor = flavors::get(&shared, &caller, &id).await?;
    let value = flavor.extra_specs.get(&key).ok_or_else(|| not_found(&id, &key))?;
    Ok(Json(json!({ key: value })))
}

/// `POST`: these too.
pub async fn add(
    State(shared): State<Shared>,
    version: Microversion,
    PathId(flavors::Id(id)): PathId<flavors::Id>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    schema::EXTRA_SPECS.check(version, &body)?;
    let specs = read(&body["extra_specs"]);
    write(&shared, version, &id, &specs).await?;
    Ok(Json(json!({ "extra_specs": specs })))
}

/// `PUT …/{key}`.
pub async fn set(
    State(shared): State<Shared>,
    version: Microversion,
    PathPair(flavors::Id(id), key): PathPair<flavors::Id>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    schema::EXTRA_SPEC.check(version, &body)?;
    let spec = read(&body);
    if !spec.contains_key(&key) {
        return Err(ApiError::BadRequest("Request body and URI mismatch".into()));
    }
    write(&shared, version, &id, &spec).await?;
    Ok(Json(json!(spec)))
}

pub async fn delete(
    State(shared): State<Shared>,
    caller: Caller,
    PathPair(flavors::Id(id), key): PathPair<flavors::Id>,
) -> Result<StatusCode, ApiError> {
    let flavor = flavors::get(&shared, &caller, &id).await?;
    if !flavor.extra_specs.contains_key(&key) {
        return Err(not_found(&id, &key));
    }
    match shared.database.change_extra_specs(&id, &BTreeMap::new(), Some(&key)).await? {
        Some(_) => Ok(StatusCode::OK),
        None => Err(flavors::not_found(&id)),
    }
}

async fn write(shared: &Shared, version: Microversion, id: &FlavorId, specs: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if version >= CHECKED {
        for (key, value) in specs {
            namespaces::check(key, value)?;
        }
    }
    match shared.database.change_extra_specs(id, specs, None).await? {
        Some(_) => Ok(()),
        None => Err(flavors::not_found(id)),
    }
}

/// Numbers are kept as text.
fn read(value: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    value.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
}

fn not_found(id: &FlavorId, key: &str) -> ApiError {
    ApiError::NotFound(format!("Flavor {id} has no extra specs with key {}.", crate::compute::links::shown(key)))
}

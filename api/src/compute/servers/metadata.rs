//! `/servers/{id}/metadata`: what users note on a server by key.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_model::ids::InstanceId;
use cuttle_model::quota::{Resource, UNLIMITED};
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::compute::quotas;
use crate::compute::servers::{self, change, schema};
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;
use crate::web::path::{PathId, PathPair};

type Items = BTreeMap<String, String>;

pub async fn list(State(shared): State<Shared>, caller: Caller, PathId(id): PathId<InstanceId>) -> Result<Json<Value>, ApiError> {
    let instance = servers::get(&shared, &caller, id).await?;
    Ok(Json(json!({ "metadata": instance.metadata })))
}

pub async fn show(
    State(shared): State<Shared>,
    caller: Caller,
    PathPair(id, key): PathPair<InstanceId>,
) -> Result<Json<Value>, ApiError> {
    let instance = servers::get(&shared, &caller, id).await?;
    let value = instance.metadata.get(&key).ok_or_else(not_found)?;
    Ok(Json(json!({ "meta": { &key: value } })))
}

/// `POST`: these too.
pub async fn add(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    PathId(id): PathId<InstanceId>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    schema::METADATA.check(version, &body)?;
    let added = items(&body["metadata"]);
    let written = write(&shared, &caller, id, |metadata| metadata.extend(added.clone())).await?;
    Ok(Json(json!({ "metadata": written })))
}

/// `PUT`: these and no others.
pub async fn replace(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    PathId(id): PathId<InstanceId>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    schema::METADATA.check(version, &body)?;
    let all = items(&body["metadata"]);
    let written = write(&shared, &caller, id, |metadata| metadata.clone_from(&all)).await?;
    Ok(Json(json!({ "metadata": written })))
}

/// `PUT …/{key}`.
pub async fn set(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    PathPair(id, key): PathPair<InstanceId>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    schema::META.check(version, &body)?;
    let item = items(&body["meta"]);
    if !item.contains_key(&key) {
        return Err(ApiError::BadRequest("Request body and URI mismatch".into()));
    }
    write(&shared, &caller, id, |metadata| metadata.extend(item.clone())).await?;
    Ok(Json(json!({ "meta": item })))
}

pub async fn delete(
    State(shared): State<Shared>,
    caller: Caller,
    PathPair(id, key): PathPair<InstanceId>,
) -> Result<StatusCode, ApiError> {
    change::change(&shared, &caller, id, |instance| {
        if !instance.metadata.contains_key(&key) {
            return Err(not_found());
        }
        change::unless_locked(&caller, instance)?;
        change::if_settled(instance, "delete metadata")?;
        instance.metadata.remove(&key);
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Writes the items as `edit` leaves them, if they are not too many.
async fn write(shared: &Shared, caller: &Caller, id: InstanceId, edit: impl Fn(&mut Items)) -> Result<Items, ApiError> {
    let most = quotas::of_caller(shared, caller).await?.of_user(Resource::MetadataItems);
    let instance = change::change(shared, caller, id, |instance| {
        change::unless_locked(caller, instance)?;
        change::if_settled(instance, "update metadata")?;
        edit(&mut instance.metadata);
        check_count(instance.metadata.len(), most)
    })
    .await?;
    Ok(instance.metadata)
}

/// Refuses more items than the quota has room for.
pub fn check_count(count: usize, most: i64) -> Result<(), ApiError> {
    match most == UNLIMITED || i64::try_from(count).is_ok_and(|count| count <= most) {
        true => Ok(()),
        false => Err(ApiError::Forbidden(format!("Maximum number of metadata items exceeds {most}"))),
    }
}

fn items(value: &Value) -> Items {
    let items = value.as_object().into_iter().flatten();
    items.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn not_found() -> ApiError {
    ApiError::NotFound("Metadata item was not found".into())
}

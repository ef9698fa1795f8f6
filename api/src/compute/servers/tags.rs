//! `/servers/{id}/tags`, from 2.26 on: short words by which servers are found.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::Instance;
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::compute::servers::{self, change, schema};
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;
use crate::web::path::{PathId, PathPair};
use crate::web::query::encoded;

/// The most tags of a server.
pub const MOST: usize = 50;
/// The longest tag, in characters.
const LONGEST: usize = 60;
const SINCE: Microversion = Microversion(26);

pub async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    PathId(id): PathId<InstanceId>,
) -> Result<Json<Value>, ApiError> {
    version.needs(SINCE)?;
    let instance = servers::get(&shared, &caller, id).await?;
    Ok(Json(json!({ "tags": instance.tags })))
}

pub async fn show(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    PathPair(id, tag): PathPair<InstanceId>,
) -> Result<StatusCode, ApiError> {
    version.needs(SINCE)?;
    let instance = servers::get(&shared, &caller, id).await?;
    match instance.tags.contains(&tag) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(not_found(id, &tag)),
    }
}

/// `PUT`: these and no others.
pub async fn replace(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    PathId(id): PathId<InstanceId>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    version.needs(SINCE)?;
    schema::TAGS.check(version, &body)?;
    let tags: BTreeSet<String> = read(&body["tags"]);
    let instance = write(&shared, &caller, id, |instance| {
        instance.tags.clone_from(&tags);
        Ok(())
    })
    .await?;
    Ok(Json(json!({ "tags": instance.tags })))
}

/// `PUT …/{tag}`: 201 for a new one, 204 for one that is there.
pub async fn add(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    address: Address,
    PathPair(id, tag): PathPair<InstanceId>,
) -> Result<Response, ApiError> {
    version.needs(SINCE)?;
    let bad = |why: &str| ApiError::invalid("tag", crate::compute::links::shown(&tag), why);
    if tag.is_empty() || tag.chars().count() > LONGEST {
        return Err(bad("A tag has 1 to 60 characters."));
    }
    if tag.contains(['/', ',']) || tag.chars().any(char::is_control) {
        return Err(bad("A tag holds no '/', no ',' and nothing that cannot be printed."));
    }
    if servers::get(&shared, &caller, id).await?.tags.contains(&tag) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    write(&shared, &caller, id, |instance| {
        instance.tags.insert(tag.clone());
        match instance.tags.len() <= MOST {
            true => Ok(()),
            false => Err(ApiError::BadRequest(format!("The number of tags exceeded the per-server limit {MOST}"))),
        }
    })
    .await?;
    let url = address.url(&format!("/compute/v2.1/servers/{id}/tags/{}", encoded(&tag)));
    Ok((StatusCode::CREATED, [(LOCATION, url)]).into_response())
}

pub async fn delete(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    PathPair(id, tag): PathPair<InstanceId>,
) -> Result<StatusCode, ApiError> {
    version.needs(SINCE)?;
    write(&shared, &caller, id, |instance| match instance.tags.remove(&tag) {
        true => Ok(()),
        false => Err(not_found(id, &tag)),
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn delete_all(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    PathId(id): PathId<InstanceId>,
) -> Result<StatusCode, ApiError> {
    version.needs(SINCE)?;
    write(&shared, &caller, id, |instance| {
        instance.tags.clear();
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The tags of a body that the schema has accepted.
pub fn read(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().filter_map(|tag| tag.as_str().map(str::to_owned)).collect()
}

async fn write(
    shared: &Shared,
    caller: &Caller,
    id: InstanceId,
    edit: impl Fn(&mut Instance) -> Result<(), ApiError>,
) -> Result<Instance, ApiError> {
    change::change(shared, caller, id, |instance| {
        change::if_settled(instance, "update tags")?;
        edit(instance)
    })
    .await
}

fn not_found(id: InstanceId, tag: &str) -> ApiError {
    ApiError::NotFound(format!("Server {id} has no tag '{}'", crate::compute::links::shown(tag)))
}

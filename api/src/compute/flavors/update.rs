//! `PUT /flavors/{id}`, from 2.55 on: its description, the only thing that may change.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::compute::flavors::{self, schema, view};
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;
use crate::web::path::PathId;

pub async fn handle(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    address: Address,
    PathId(flavors::Id(id)): PathId<flavors::Id>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    version.needs(Microversion(55))?;
    schema::UPDATE.check(version, &body)?;
    if !shared.database.set_flavor_description(&id, body["flavor"]["description"].as_str()).await? {
        return Err(flavors::not_found(&id));
    }
    let flavor = flavors::get(&shared, &caller, &id).await?;
    Ok(Json(json!({ "flavor": view::detail(&flavor, version, &address) })))
}

//! `POST /os-aggregates/{id}/action`: adds and removes hosts, and sets metadata.

use axum::Json;
use axum::extract::State;
use cuttle_database::AggregateChange;
use serde_json::Value;

use super::{answer, change_it, number, schema};
use crate::compute::keypairs::Name;
use crate::compute::links::shown;
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::path::PathId;

pub async fn handle(
    State(shared): State<Shared>,
    version: Microversion,
    PathId(Name(id)): PathId<Name>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    schema::ACTION.check(version, &body)?;
    let number = number(&id)?;
    let change = match (body.get("add_host"), body.get("remove_host"), body.get("set_metadata")) {
        (Some(add), _, _) => AggregateChange::AddHost(host(&shared, add).await?),
        (_, Some(remove), _) => AggregateChange::RemoveHost(host(&shared, remove).await?),
        (_, _, set) => {
            let items = set.and_then(|set| set["metadata"].as_object()).into_iter().flatten();
            AggregateChange::Metadata(items.map(|(key, value)| (key.clone(), value.as_str().map(str::to_owned))).collect())
        }
    };
    let changed = change_it(&shared, number, &change).await?;
    answer(&shared, &changed, version).await
}

async fn host(shared: &Shared, fields: &Value) -> Result<cuttle_model::ids::HostId, ApiError> {
    let name = fields["host"].as_str().unwrap_or_default();
    let found = match name.parse() {
        Ok(name) => shared.database.find_host(&name).await?,
        Err(_) => None,
    };
    found.map(|host| host.id).ok_or_else(|| ApiError::NotFound(format!("Compute host {} could not be found.", shown(name))))
}

//! `/os-aggregates`: host aggregates, for administrators. Availability zones are made of them.

mod action;
mod schema;
mod view;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_database::{AggregateChange, AggregateChanged, AggregateDeleted};
use cuttle_model::aggregate::{Aggregate, ZONE_KEY};
use cuttle_model::ids::AggregateId;
use serde_json::{Value, json};

use crate::compute::hosts;
use crate::compute::keypairs::Name;
use crate::compute::links::shown;
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::path::PathId;
use crate::web::query::Pairs;
use crate::web::routes::{Access, Routes, Service};

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1")
        .get("/os-aggregates", Access::Admin, list)
        .post("/os-aggregates", Access::Admin, create)
        .takes(&schema::CREATE)
        .get("/os-aggregates/{id}", Access::Admin, show)
        .put("/os-aggregates/{id}", Access::Admin, update)
        .takes(&schema::UPDATE)
        .delete("/os-aggregates/{id}", Access::Admin, delete)
        .post("/os-aggregates/{id}/action", Access::Admin, action::handle)
        .takes(&schema::ACTION)
}

async fn list(State(shared): State<Shared>, version: Microversion, query: Pairs) -> Result<Json<Value>, ApiError> {
    if version >= Microversion(75) {
        query.refuse_unknown(&[])?;
    }
    let (all, hosts) = (shared.database.list_aggregates().await?, hosts::by_id(&shared).await?);
    let rows: Vec<Value> = all.iter().map(|aggregate| view::aggregate(aggregate, &hosts, version)).collect();
    Ok(Json(json!({ "aggregates": rows })))
}

async fn create(State(shared): State<Shared>, version: Microversion, JsonBody(body): JsonBody) -> Result<Json<Value>, ApiError> {
    schema::CREATE.check(version, &body)?;
    let name = body["aggregate"]["name"].as_str().unwrap_or_default();
    let zone = body["aggregate"]["availability_zone"].as_str();
    let wanted = Aggregate {
        number: 0,
        id: AggregateId::new(shared.ids.as_ref()),
        name: name.to_owned(),
        metadata: zone.map(|zone| (ZONE_KEY.to_owned(), zone.to_owned())).into_iter().collect(),
        hosts: Vec::new(),
        created_at: shared.now(),
        updated_at: None,
    };
    let made = shared.database.insert_aggregate(&wanted).await?;
    let made = made.ok_or_else(|| same_name(name))?;
    Ok(Json(json!({ "aggregate": view::created(&made, version) })))
}

async fn show(
    State(shared): State<Shared>,
    version: Microversion,
    PathId(Name(id)): PathId<Name>,
) -> Result<Json<Value>, ApiError> {
    let number = number(&id)?;
    let all = shared.database.list_aggregates().await?;
    let found = all.iter().find(|aggregate| aggregate.number == number).ok_or_else(|| not_found(number))?;
    answer(&shared, found, version).await
}

async fn update(
    State(shared): State<Shared>,
    version: Microversion,
    PathId(Name(id)): PathId<Name>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    schema::UPDATE.check(version, &body)?;
    let fields = &body["aggregate"];
    let zone = fields.get("availability_zone").map(|zone| zone.as_str().map(str::to_owned));
    let metadata: BTreeMap<String, Option<String>> = zone.map(|zone| (ZONE_KEY.to_owned(), zone)).into_iter().collect();
    let change = match fields["name"].as_str() {
        Some(name) => AggregateChange::NameAndMetadata(name.to_owned(), metadata),
        None => AggregateChange::Metadata(metadata),
    };
    let changed = change_it(&shared, number(&id)?, &change).await?;
    answer(&shared, &changed, version).await
}

async fn delete(State(shared): State<Shared>, PathId(Name(id)): PathId<Name>) -> Result<StatusCode, ApiError> {
    let number = number(&id)?;
    match shared.database.delete_aggregate(number).await? {
        AggregateDeleted::Deleted => Ok(StatusCode::OK),
        AggregateDeleted::NotFound => Err(not_found(number)),
        AggregateDeleted::HasHosts => {
            Err(ApiError::BadRequest(format!("Cannot remove host aggregate {number}: it has hosts. Remove them first.")))
        }
    }
}

async fn answer(shared: &Shared, aggregate: &Aggregate, version: Microversion) -> Result<Json<Value>, ApiError> {
    let hosts = hosts::by_id(shared).await?;
    Ok(Json(json!({ "aggregate": view::aggregate(aggregate, &hosts, version) })))
}

/// Changes an aggregate, or says why not.
async fn change_it(shared: &Shared, number: i64, change: &AggregateChange) -> Result<Aggregate, ApiError> {
    let name = async |host| -> Result<String, ApiError> {
        Ok(shared.database.get_host(host).await?.map_or_else(|| host.to_string(), |host| host.name.to_string()))
    };
    match shared.database.change_aggregate(number, change, shared.now()).await? {
        AggregateChanged::Changed(aggregate) => Ok(aggregate),
        AggregateChanged::NotFound => Err(not_found(number)),
        AggregateChanged::SameName => Err(match change {
            AggregateChange::Name(name) | AggregateChange::NameAndMetadata(name, _) => same_name(name),
            _ => ApiError::Conflict("Aggregate already exists.".into()),
        }),
        AggregateChanged::HasHost => Err(ApiError::Conflict(format!("Aggregate {number} already has this host."))),
        AggregateChanged::NoHost => Err(ApiError::NotFound(format!("Aggregate {number} has no such host."))),
        AggregateChanged::OtherZone { host, zone } => Err(ApiError::Conflict(format!(
            "Cannot perform this on aggregate {number}: host {} is in availability zone {zone}, and a host is in one only.",
            name(host).await?
        ))),
        AggregateChanged::InUse { host } => Err(ApiError::Conflict(format!(
            "Cannot perform this on aggregate {number}: the availability zone of host {} would change, and instances are there.",
            name(host).await?
        ))),
    }
}

fn number(id: &str) -> Result<i64, ApiError> {
    let number = id.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| ApiError::invalid("id", shown(id), "The number of an aggregate is expected."))
}

fn not_found(number: i64) -> ApiError {
    ApiError::NotFound(format!("Aggregate {number} could not be found."))
}

fn same_name(name: &str) -> ApiError {
    ApiError::Conflict(format!("Aggregate {} already exists.", shown(name)))
}

//! `GET /hosts/{name}/events`: what has happened to a host, its certificates, keys and secrets; the newest first.

use axum::Json;
use axum::extract::State;
use cuttle_model::host::HostName;
use cuttle_model::host_event::HostEvent;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operator::hosts::show;
use crate::shared::Shared;
use crate::web::path::PathId;
use crate::web::query::Pairs;

/// As many as are kept.
const LIMIT: u32 = 500;

pub async fn handle(State(shared): State<Shared>, PathId(name): PathId<HostName>, query: Pairs) -> Result<Json<Value>, ApiError> {
    query.refuse_unknown(&[])?;
    let found = show::find(&shared, &name).await?;
    let events = shared.database.list_host_events(found.host.id, LIMIT).await?;
    Ok(Json(json!({ "events": events.iter().map(view).collect::<Vec<_>>() })))
}

fn view(event: &HostEvent) -> Value {
    json!({ "id": event.id, "at": event.at.to_micros_z(), "kind": event.kind.as_str(), "message": event.message })
}

//! `GET /hosts`: all hosts by name, with what is claimed of them.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operator::hosts::view;
use crate::shared::Shared;
use crate::web::query::Pairs;

pub async fn handle(State(shared): State<Shared>, query: Pairs) -> Result<Json<Value>, ApiError> {
    query.refuse_unknown(&[])?;
    let hosts = shared.database.list_hosts_with_usage().await?;
    Ok(Json(json!({ "hosts": hosts.iter().map(|host| view::host(&shared, host)).collect::<Vec<_>>() })))
}

//! `GET /hosts/{name}`.

use axum::Json;
use axum::extract::State;
use cuttle_database::Candidate;
use cuttle_model::host::HostName;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operator::hosts::view;
use crate::shared::Shared;
use crate::web::path::PathId;

pub async fn handle(State(shared): State<Shared>, PathId(name): PathId<HostName>) -> Result<Json<Value>, ApiError> {
    let found = find(&shared, &name).await?;
    let mut shown = view::host(&shared, &found);
    let (id, host) = (found.host.id, &found.host);
    let expiry = shared.database.certificate_expiry(id).await?;
    shown["certificate_expires_at"] = json!(expiry.map(|at| at.to_micros_z()));
    if let Some(generations) = shared.database.ceph_generations(id).await? {
        let older = (generations.oldest..generations.newest).map(|generation| host.ceph_client_of(generation));
        shown["older_ceph_clients"] = older.collect();
        shown["configured_ceph_client"] = json!(generations.shared);
    }
    let storage = shared.database.get_host_storage(id).await?;
    shown["storage"] = json!(storage.as_ref().map(view::storage));
    Ok(Json(json!({ "host": shown })))
}

/// The host with this name, or a 404 that names it.
pub async fn find(shared: &Shared, name: &HostName) -> Result<Candidate, ApiError> {
    let found = shared.database.find_host_with_usage(name).await?;
    found.ok_or_else(|| ApiError::NotFound(format!("Host '{name}' could not be found.")))
}

//! `GET /os-services`: the hosts' agents, for administrators. Each is shown as Nova's `nova-compute`,
//! the name by which clients find them.

use axum::Json;
use axum::extract::State;
use cuttle_model::host::Host;
use serde_json::{Value, json};

use crate::compute::availability_zones::ZONE;
use crate::compute::hosts;
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::query::Pairs;
use crate::web::routes::{Access, Routes, Service};

const BINARY: &str = "nova-compute";

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1").get("/os-services", Access::Admin, list)
}

async fn list(State(shared): State<Shared>, version: Microversion, query: Pairs) -> Result<Json<Value>, ApiError> {
    if version >= Microversion(75) {
        query.refuse_unknown(&["host", "binary"])?;
    }
    let wanted = query.last("host");
    let known = match query.last("binary").is_none_or(|binary| binary == BINARY) {
        true => shared.database.list_hosts().await?,
        false => Vec::new(),
    };
    let known: Vec<Value> = known
        .iter()
        .enumerate()
        .filter(|(_, host)| wanted.is_none_or(|name| host.name.as_str() == name))
        .map(|(index, host)| view(&shared, index, host, version))
        .collect();
    Ok(Json(json!({ "services": known })))
}

fn view(shared: &Shared, index: usize, host: &Host, version: Microversion) -> Value {
    let (status, reason) = hosts::administrative(host);
    let mut shown = json!({
        // Before 2.53 a service has a number, which nothing else refers to.
        "id": if version >= Microversion(53) { json!(host.id) } else { json!(index + 1) },
        "binary": BINARY,
        "host": host.name,
        "zone": ZONE,
        "status": status,
        "state": if hosts::is_up(shared, host) { "up" } else { "down" },
        "updated_at": host.last_seen_at.map(|seen| seen.to_micros_naive()),
        "disabled_reason": reason,
    });
    if version >= Microversion(11) {
        shown["forced_down"] = json!(false);
    }
    shown
}

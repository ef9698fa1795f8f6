//! `GET /os-availability-zone` and `…/detail`: there is one zone, `nova`, with all hosts.

use axum::Json;
use axum::extract::State;
use cuttle_model::host::Host;
use serde_json::{Map, Value, json};

use crate::compute::hosts;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::routes::{Access, Routes, Service};

/// The zone's name: Nova's default.
pub const ZONE: &str = "nova";

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1").get("/os-availability-zone", Access::Reader, brief).get(
        "/os-availability-zone/detail",
        Access::Admin,
        detail,
    )
}

async fn brief(State(shared): State<Shared>) -> Result<Json<Value>, ApiError> {
    let known = shared.database.list_hosts().await?;
    Ok(Json(json!({ "availabilityZoneInfo": zones(&shared, &known, Value::Null) })))
}

async fn detail(State(shared): State<Shared>) -> Result<Json<Value>, ApiError> {
    let known = shared.database.list_hosts().await?;
    let hosts: Map<String, Value> = known.iter().map(|host| (host.name.to_string(), services(&shared, host))).collect();
    Ok(Json(json!({ "availabilityZoneInfo": zones(&shared, &known, Value::Object(hosts)) })))
}

/// The zone, which exists once there are hosts.
fn zones(shared: &Shared, known: &[Host], hosts: Value) -> Vec<Value> {
    let available = known.iter().any(|host| is_available(shared, host));
    let zone = json!({ "zoneName": ZONE, "zoneState": { "available": available }, "hosts": hosts });
    if known.is_empty() { Vec::new() } else { vec![zone] }
}

fn services(shared: &Shared, host: &Host) -> Value {
    json!({ "nova-compute": {
        "available": hosts::is_up(shared, host),
        "active": hosts::administrative(host).0 == "enabled",
        "updated_at": host.last_seen_at.map(|seen| seen.to_micros_naive()),
    }})
}

fn is_available(shared: &Shared, host: &Host) -> bool {
    hosts::is_up(shared, host) && hosts::administrative(host).0 == "enabled"
}

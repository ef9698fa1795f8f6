//! `GET /os-availability-zone` and `…/detail`: the zones of the aggregates that have hosts, and the default
//! one for the hosts that are in none of these.

use std::collections::{BTreeMap, HashMap};

use axum::Json;
use axum::extract::State;
use cuttle_model::host::Host;
use cuttle_model::ids::HostId;
use cuttle_model::instance::Instance;
use serde_json::{Map, Value, json};

use crate::compute::hosts;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::routes::{Access, Routes, Service};

/// Nova's name of the zone of control nodes, which no instance can be in.
const INTERNAL: &str = "internal";

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1").get("/os-availability-zone", Access::Reader, brief).get(
        "/os-availability-zone/detail",
        Access::Admin,
        detail,
    )
}

/// Which host is in which zone.
#[derive(Debug, Clone, Default)]
pub struct Zones {
    of_host: HashMap<HostId, String>,
    default: String,
}

impl Zones {
    /// One query.
    pub async fn read(shared: &Shared) -> Result<Self, ApiError> {
        let mut of_host = HashMap::new();
        for aggregate in shared.database.list_aggregates().await? {
            if let Some(zone) = aggregate.availability_zone() {
                of_host.extend(aggregate.hosts.iter().map(|host| (*host, zone.to_owned())));
            }
        }
        Ok(Self { of_host, default: shared.default_zone.clone() })
    }

    /// The host's zone.
    pub fn of(&self, host: HostId) -> &str {
        self.of_host.get(&host).unwrap_or(&self.default)
    }

    /// The zone where a server is, or is to be; empty before it has a host.
    pub fn shown<'a>(&'a self, instance: &'a Instance) -> &'a str {
        match (instance.host_id, &instance.availability_zone) {
            (Some(host), _) => self.of(host),
            (None, Some(zone)) => zone,
            (None, None) => "",
        }
    }

    /// Whether an instance can be asked for there.
    pub fn has(&self, zone: &str) -> bool {
        zone != INTERNAL && (zone == self.default || self.of_host.values().any(|known| known == zone))
    }
}

async fn brief(State(shared): State<Shared>) -> Result<Json<Value>, ApiError> {
    let zones = hosts_by_zone(&shared).await?;
    let shown = zones.iter().map(|(name, hosts)| zone(&shared, name, hosts, Value::Null));
    Ok(Json(json!({ "availabilityZoneInfo": shown.collect::<Vec<_>>() })))
}

async fn detail(State(shared): State<Shared>) -> Result<Json<Value>, ApiError> {
    let zones = hosts_by_zone(&shared).await?;
    let shown = zones.iter().map(|(name, hosts)| {
        let services: Map<String, Value> = hosts.iter().map(|host| (host.name.to_string(), services(&shared, host))).collect();
        zone(&shared, name, hosts, Value::Object(services))
    });
    Ok(Json(json!({ "availabilityZoneInfo": shown.collect::<Vec<_>>() })))
}

/// A zone exists once it has hosts.
async fn hosts_by_zone(shared: &Shared) -> Result<BTreeMap<String, Vec<Host>>, ApiError> {
    let zones = Zones::read(shared).await?;
    let mut by_zone: BTreeMap<String, Vec<Host>> = BTreeMap::new();
    for host in shared.database.list_hosts().await? {
        by_zone.entry(zones.of(host.id).to_owned()).or_default().push(host);
    }
    Ok(by_zone)
}

fn zone(shared: &Shared, name: &str, hosts: &[Host], shown: Value) -> Value {
    let available = hosts.iter().any(|host| is_available(shared, host));
    json!({ "zoneName": name, "zoneState": { "available": available }, "hosts": shown })
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

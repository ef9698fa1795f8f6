//! `GET /os-hypervisors` and `…/detail`: hosts and what is claimed of them, for administrators.
//!
//! Disks are not shown per host: the pool's room is one account for all of them.

use axum::Json;
use axum::extract::State;
use cuttle_database::Candidate;
use cuttle_model::host::HostResources;
use serde_json::{Value, json};

use crate::compute::hosts;
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::query::Pairs;
use crate::web::routes::{Access, Routes, Service};

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1").get("/os-hypervisors", Access::Admin, brief).get(
        "/os-hypervisors/detail",
        Access::Admin,
        detail,
    )
}

async fn brief(State(shared): State<Shared>, version: Microversion, query: Pairs) -> Result<Json<Value>, ApiError> {
    let found = find(&shared, &query).await?;
    let shown: Vec<Value> = found.iter().enumerate().map(|(index, found)| view(&shared, index, found, version)).collect();
    Ok(Json(json!({ "hypervisors": shown })))
}

async fn detail(State(shared): State<Shared>, version: Microversion, query: Pairs) -> Result<Json<Value>, ApiError> {
    let found = find(&shared, &query).await?;
    let shown = found.iter().enumerate().filter_map(|(index, found)| {
        let resources = found.host.resources.as_ref()?;
        let mut shown = view(&shared, index, found, version);
        let reason = hosts::administrative(&found.host).1;
        shown["service"] = json!({ "id": id(index, found, version), "host": found.host.name, "disabled_reason": reason });
        add_detail(&mut shown, found, resources, version);
        Some(shown)
    });
    Ok(Json(json!({ "hypervisors": shown.collect::<Vec<_>>() })))
}

/// The hosts that said hello. Of the filters only the name's pattern is known yet.
async fn find(shared: &Shared, query: &Pairs) -> Result<Vec<Candidate>, ApiError> {
    const PATTERN: &str = "hypervisor_hostname_pattern";
    if let Some(key) = query.keys().find(|key| *key != PATTERN) {
        return Err(ApiError::not_yet(key, query.last(key).unwrap_or("")));
    }
    let mut found = shared.database.candidates().await?;
    if let Some(pattern) = query.last(PATTERN) {
        found.retain(|candidate| candidate.host.name.as_str().contains(pattern));
        if found.is_empty() {
            return Err(ApiError::NotFound(format!(
                "No hypervisor matching '{}' could be found.",
                pattern.chars().take(64).collect::<String>()
            )));
        }
    }
    Ok(found)
}

/// Before 2.53 hosts have numbers, which nothing else refers to.
fn id(index: usize, found: &Candidate, version: Microversion) -> Value {
    if version >= Microversion(53) { json!(found.host.id) } else { json!(index + 1) }
}

fn view(shared: &Shared, index: usize, found: &Candidate, version: Microversion) -> Value {
    json!({
        "id": id(index, found, version),
        "hypervisor_hostname": found.host.name,
        "state": if hosts::is_up(shared, &found.host) { "up" } else { "down" },
        "status": hosts::administrative(&found.host).0,
    })
}

fn add_detail(shown: &mut Value, found: &Candidate, resources: &HostResources, version: Microversion) {
    shown["hypervisor_type"] = json!("QEMU");
    shown["hypervisor_version"] = json!(version_number(&resources.hypervisor_version));
    shown["host_ip"] = Value::Null;
    if version >= Microversion(88) {
        shown["uptime"] = Value::Null;
        return;
    }
    let cpu = json!({ "arch": resources.architecture });
    shown["cpu_info"] = if version >= Microversion(28) { cpu } else { json!(cpu.to_string()) };
    shown["vcpus"] = json!(resources.vcpus);
    shown["vcpus_used"] = json!(found.usage.vcpus);
    shown["memory_mb"] = json!(resources.ram_mib);
    shown["memory_mb_used"] = json!(found.usage.ram_mib + resources.reserved_ram_mib);
    shown["free_ram_mb"] = json!(resources.ram_mib.saturating_sub(found.usage.ram_mib + resources.reserved_ram_mib));
    shown["running_vms"] = json!(found.usage.instances);
    shown["current_workload"] = json!(0);
    shown["disk_available_least"] = Value::Null;
    for disk in ["local_gb", "local_gb_used", "free_disk_gb"] {
        shown[disk] = json!(0);
    }
}

/// `10.0.2` as libvirt's number, 10000002.
fn version_number(text: &str) -> u64 {
    text.split('.').take(3).fold(0, |number, part| number * 1000 + part.parse::<u64>().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        assert_eq!(version_number("10.0.2"), 10_000_002);
        assert_eq!(version_number("7.2.0"), 7_002_000);
    }
}

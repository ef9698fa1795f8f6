//! `/os-hypervisors`: hosts and what is claimed of them, for administrators.
//!
//! Disks are not shown per host: the pool's room is one account for all of them.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use cuttle_database::{Candidate, InstanceQuery};
use cuttle_model::host::HostResources;
use cuttle_model::ids::HostId;
use serde_json::{Map, Value, json};

use crate::compute::hosts;
use crate::compute::keypairs::Name;
use crate::compute::links;
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::path::PathId;
use crate::web::query::{MAX_LIMIT, Pairs, boolean};
use crate::web::routes::{Access, Routes, Service};

/// From here on hosts are named by their ids, and searched for by a query.
const BY_ID: Microversion = Microversion(53);
/// From here on there are pages.
const PAGED: Microversion = Microversion(33);

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1")
        .get("/os-hypervisors", Access::Admin, brief)
        .get("/os-hypervisors/detail", Access::Admin, detail)
        .get("/os-hypervisors/statistics", Access::Admin, statistics)
        .get("/os-hypervisors/{id}", Access::Admin, show)
        .get("/os-hypervisors/{id}/search", Access::Admin, search)
        .get("/os-hypervisors/{id}/servers", Access::Admin, servers)
}

async fn brief(
    State(shared): State<Shared>,
    version: Microversion,
    address: Address,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    let page = page(&shared, version, &query).await?;
    let rows: Vec<Value> = page.hosts.iter().map(|found| page.servers.add_to(view(&shared, found, version), found)).collect();
    Ok(Json(page.body(rows, &address, "/os-hypervisors", &query)))
}

async fn detail(
    State(shared): State<Shared>,
    version: Microversion,
    address: Address,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    let page = page(&shared, version, &query).await?;
    let rows = page.hosts.iter().filter_map(|found| Some(page.servers.add_to(full(&shared, found, version)?, found)));
    Ok(Json(page.body(rows.collect(), &address, "/os-hypervisors/detail", &query)))
}

async fn show(
    State(shared): State<Shared>,
    version: Microversion,
    PathId(Name(id)): PathId<Name>,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    if version >= BY_ID {
        query.refuse_unknown(&["with_servers"])?;
    }
    let missing = || ApiError::NotFound(format!("Compute host {} could not be found.", links::shown(&id)));
    let all = numbered(shared.database.candidates().await?);
    let is_it = |found: &Numbered| match version >= BY_ID {
        true => id.parse() == Ok(found.host.host.id),
        false => id.parse() == Ok(found.number),
    };
    let found = all.into_iter().find(is_it).ok_or_else(missing)?;
    let servers = Servers::read(&shared, version, &query).await?;
    let shown = full(&shared, &found, version).ok_or_else(missing)?;
    Ok(Json(json!({ "hypervisor": servers.add_to(shown, &found) })))
}

/// All hosts together; until 2.87.
async fn statistics(State(shared): State<Shared>, version: Microversion) -> Result<Json<Value>, ApiError> {
    version.until(Microversion(87))?;
    let found = shared.database.candidates().await?;
    let sum = |of: &dyn Fn(&Candidate, &HostResources) -> u64| -> u64 {
        found.iter().filter_map(|one| one.host.resources.as_ref().map(|resources| of(one, resources))).sum()
    };
    Ok(Json(json!({ "hypervisor_statistics": {
        "count": found.len(),
        "vcpus": sum(&|_, resources| u64::from(resources.vcpus)),
        "vcpus_used": sum(&|one, _| one.usage.vcpus),
        "memory_mb": sum(&|_, resources| resources.ram_mib),
        "memory_mb_used": sum(&memory_used),
        "free_ram_mb": sum(&|one, resources| resources.ram_mib.saturating_sub(memory_used(one, resources))),
        "running_vms": sum(&|one, _| one.usage.instances),
        "current_workload": 0,
        "local_gb": 0,
        "local_gb_used": 0,
        "free_disk_gb": 0,
        "disk_available_least": 0,
    }})))
}

/// By a part of their names; until 2.52.
async fn search(
    State(shared): State<Shared>,
    version: Microversion,
    PathId(Name(part)): PathId<Name>,
) -> Result<Json<Value>, ApiError> {
    version.until(Microversion(52))?;
    let found = named(&shared, &part).await?;
    Ok(Json(json!({ "hypervisors": found.iter().map(|found| view(&shared, found, version)).collect::<Vec<_>>() })))
}

/// As the search, with the servers there; until 2.52.
async fn servers(
    State(shared): State<Shared>,
    version: Microversion,
    PathId(Name(part)): PathId<Name>,
) -> Result<Json<Value>, ApiError> {
    version.until(Microversion(52))?;
    let found = named(&shared, &part).await?;
    let servers = Servers::all(&shared).await?;
    let rows: Vec<Value> = found.iter().map(|found| servers.add_to(view(&shared, found, version), found)).collect();
    Ok(Json(json!({ "hypervisors": rows })))
}

/// A host with the number that it has before 2.53.
struct Numbered {
    number: usize,
    host: Candidate,
}

fn numbered(hosts: Vec<Candidate>) -> Vec<Numbered> {
    hosts.into_iter().enumerate().map(|(index, host)| Numbered { number: index + 1, host }).collect()
}

async fn named(shared: &Shared, part: &str) -> Result<Vec<Numbered>, ApiError> {
    let mut found = numbered(shared.database.candidates().await?);
    found.retain(|found| found.host.host.name.as_str().contains(part));
    match found.is_empty() {
        true => Err(ApiError::NotFound(format!("No hypervisor matching '{}' could be found.", links::shown(part)))),
        false => Ok(found),
    }
}

/// Some hosts, with their servers where these are asked for.
struct Page {
    hosts: Vec<Numbered>,
    has_more: bool,
    servers: Servers,
    version: Microversion,
}

impl Page {
    fn body(&self, rows: Vec<Value>, address: &Address, path: &str, query: &Pairs) -> Value {
        let mut body = Map::from_iter([("hypervisors".to_owned(), Value::Array(rows))]);
        if let Some(last) = self.hosts.last().filter(|_| self.has_more) {
            let marker = if self.version >= BY_ID { last.host.host.id.to_string() } else { last.number.to_string() };
            body.insert("hypervisors_links".into(), links::next(address, path, query, &marker));
        }
        Value::Object(body)
    }
}

async fn page(shared: &Shared, version: Microversion, query: &Pairs) -> Result<Page, ApiError> {
    const PATTERN: &str = "hypervisor_hostname_pattern";
    if version >= BY_ID {
        query.refuse_unknown(&["limit", "marker", PATTERN, "with_servers"])?;
    }
    let mut hosts = match query.one(PATTERN)?.filter(|_| version >= BY_ID) {
        Some(_) if query.one("limit")?.is_some() || query.one("marker")?.is_some() => {
            return Err(ApiError::BadRequest(
                "Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.".into(),
            ));
        }
        Some(part) => named(shared, part).await?,
        None => numbered(shared.database.candidates().await?),
    };
    let mut has_more = false;
    if version >= PAGED {
        if let Some(marker) = query.one("marker")? {
            let is_it = |found: &Numbered| match version >= BY_ID {
                true => marker.parse() == Ok(found.host.host.id),
                false => marker.parse() == Ok(found.number),
            };
            let at = hosts.iter().position(is_it);
            let at = at.ok_or_else(|| ApiError::BadRequest(format!("marker [{}] not found", links::shown(marker))))?;
            hosts.drain(..=at);
        }
        let limit = usize::try_from(query.limit(MAX_LIMIT)?).unwrap_or(usize::MAX);
        has_more = hosts.len() > limit;
        hosts.truncate(limit);
    }
    Ok(Page { hosts, has_more, servers: Servers::read(shared, version, query).await?, version })
}

/// The servers of each host, where they are asked for.
struct Servers(Option<HashMap<HostId, Vec<Value>>>);

impl Servers {
    async fn read(shared: &Shared, version: Microversion, query: &Pairs) -> Result<Self, ApiError> {
        let asked = match query.one("with_servers")?.filter(|_| version >= BY_ID) {
            None => false,
            Some(word) => {
                boolean(word).ok_or_else(|| ApiError::invalid("with_servers", links::shown(word), "A boolean is expected."))?
            }
        };
        if asked { Self::all(shared).await } else { Ok(Self(None)) }
    }

    async fn all(shared: &Shared) -> Result<Self, ApiError> {
        let mut of_hosts: HashMap<HostId, Vec<Value>> = HashMap::new();
        for instance in shared.database.list_instances(&InstanceQuery::default()).await? {
            if let Some(host) = instance.host_id {
                of_hosts.entry(host).or_default().push(json!({ "name": instance.id, "uuid": instance.id }));
            }
        }
        Ok(Self(Some(of_hosts)))
    }

    /// A host without servers has no such field, as in Nova before 2.75; from then on the list is empty.
    fn add_to(&self, mut shown: Value, found: &Numbered) -> Value {
        if let Some(of_hosts) = &self.0
            && let Some(servers) = of_hosts.get(&found.host.host.id)
        {
            shown["servers"] = json!(servers);
        }
        shown
    }
}

/// Before 2.53 hosts have numbers, which nothing else refers to.
fn id(found: &Numbered, version: Microversion) -> Value {
    if version >= BY_ID { json!(found.host.host.id) } else { json!(found.number) }
}

fn view(shared: &Shared, found: &Numbered, version: Microversion) -> Value {
    let mut shown = json!({
        "id": id(found, version),
        "hypervisor_hostname": found.host.host.name,
        "state": if hosts::is_up(shared, &found.host.host) { "up" } else { "down" },
        "status": hosts::administrative(&found.host.host).0,
    });
    if version >= Microversion(75) {
        shown["servers"] = json!([]);
    }
    shown
}

/// With all that is known; `None` before the host said hello.
fn full(shared: &Shared, found: &Numbered, version: Microversion) -> Option<Value> {
    let (host, usage) = (&found.host.host, &found.host.usage);
    let resources = host.resources.as_ref()?;
    let mut shown = view(shared, found, version);
    let reason = hosts::administrative(host).1;
    shown["service"] = json!({ "id": id(found, version), "host": host.name, "disabled_reason": reason });
    shown["hypervisor_type"] = json!("QEMU");
    shown["hypervisor_version"] = json!(version_number(&resources.hypervisor_version));
    shown["host_ip"] = Value::Null;
    if version >= Microversion(88) {
        shown["uptime"] = Value::Null;
        return Some(shown);
    }
    let cpu = json!({ "arch": resources.architecture });
    let used = memory_used(&found.host, resources);
    shown["cpu_info"] = if version >= Microversion(28) { cpu } else { json!(cpu.to_string()) };
    shown["vcpus"] = json!(resources.vcpus);
    shown["vcpus_used"] = json!(usage.vcpus);
    shown["memory_mb"] = json!(resources.ram_mib);
    shown["memory_mb_used"] = json!(used);
    shown["free_ram_mb"] = json!(resources.ram_mib.saturating_sub(used));
    shown["running_vms"] = json!(usage.instances);
    shown["current_workload"] = json!(0);
    shown["disk_available_least"] = Value::Null;
    for disk in ["local_gb", "local_gb_used", "free_disk_gb"] {
        shown[disk] = json!(0);
    }
    Some(shown)
}

fn memory_used(found: &Candidate, resources: &HostResources) -> u64 {
    found.usage.ram_mib + resources.reserved_ram_mib
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

//! `/os-simple-tenant-usage`: how long a project's servers were there, and how much they took for that time.
//! It is summed up from the servers' rows: those that were deleted count until their rows are removed.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use cuttle_database::{InstanceQuery, InstanceSort, SortDirection};
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::ProjectId;
use cuttle_model::instance::Instance;
use serde_json::{Map, Value, json};

use crate::compute::keypairs::Name;
use crate::compute::links;
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::caller::Caller;
use crate::web::path::PathId;
use crate::web::query::{MAX_LIMIT, Pairs};
use crate::web::routes::{Access, Routes, Service};

const PATH: &str = "/os-simple-tenant-usage";
/// From here on it is given in pages of servers.
const PAGED: Microversion = Microversion(40);

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1").get("/os-simple-tenant-usage", Access::Admin, list).get(
        "/os-simple-tenant-usage/{id}",
        Access::Reader,
        show,
    )
}

async fn list(
    State(shared): State<Shared>,
    version: Microversion,
    address: Address,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    let period = Period::read(&shared, version, &query, &["detailed"])?;
    let found = find(&shared, &period, version, None, &query).await?;
    let is_detailed = query.all("detailed").next() == Some("1");
    let mut projects: BTreeMap<ProjectId, Vec<&Instance>> = BTreeMap::new();
    for instance in &found.instances {
        projects.entry(instance.project_id).or_default().push(instance);
    }
    let usages = projects.iter().map(|(project, instances)| period.summary(*project, instances, is_detailed));
    let mut body = Map::from_iter([("tenant_usages".to_owned(), usages.collect())]);
    found.add_link(&mut body, "tenant_usages_links", &address, PATH, &query);
    Ok(Json(Value::Object(body)))
}

async fn show(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    address: Address,
    PathId(Name(project)): PathId<Name>,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    let own = caller.project_id()?;
    let asked: Option<ProjectId> = project.parse().ok();
    if asked != Some(own) && !caller.is_admin() {
        let rule = "os_compute_api:os-simple-tenant-usage:show";
        return Err(ApiError::Forbidden(format!("Policy doesn't allow {rule} to be performed.")));
    }
    let period = Period::read(&shared, version, &query, &[])?;
    let Some(asked) = asked else { return Ok(Json(json!({ "tenant_usage": {} }))) };
    let found = find(&shared, &period, version, Some(asked), &query).await?;
    let all: Vec<&Instance> = found.instances.iter().collect();
    let usage = if all.is_empty() { json!({}) } else { period.summary(asked, &all, true) };
    let mut body = Map::from_iter([("tenant_usage".to_owned(), usage)]);
    found.add_link(&mut body, "tenant_usage_links", &address, &format!("{PATH}/{asked}"), &query);
    Ok(Json(Value::Object(body)))
}

/// A page of servers.
struct Found {
    instances: Vec<Instance>,
    has_more: bool,
}

impl Found {
    fn add_link(&self, body: &mut Map<String, Value>, name: &str, address: &Address, path: &str, query: &Pairs) {
        if let Some(last) = self.instances.last().filter(|_| self.has_more) {
            body.insert(name.into(), links::next(address, path, query, &last.id.to_string()));
        }
    }
}

async fn find(
    shared: &Shared,
    period: &Period,
    version: Microversion,
    project: Option<ProjectId>,
    query: &Pairs,
) -> Result<Found, ApiError> {
    let is_paged = version >= PAGED;
    let marker = match query.one("marker")?.filter(|_| is_paged) {
        None => None,
        Some(text) => {
            let unknown = || ApiError::BadRequest(format!("marker [{}] not found", links::shown(text)));
            let id = text.parse().map_err(|_| unknown())?;
            Some(shared.database.get_instance(id).await?.ok_or_else(unknown)?.id)
        }
    };
    let limit = if is_paged { query.limit(MAX_LIMIT)? } else { MAX_LIMIT };
    let wanted = InstanceQuery {
        project,
        lived: Some((period.start, period.end)),
        sort: vec![(InstanceSort::Project, SortDirection::Ascending), (InstanceSort::Id, SortDirection::Ascending)],
        marker,
        limit: is_paged.then_some(limit + 1),
        ..InstanceQuery::default()
    };
    let mut instances = shared.database.list_instances(&wanted).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = is_paged && instances.len() > limit;
    if has_more {
        instances.truncate(limit);
    }
    Ok(Found { instances, has_more })
}

/// From when to when.
struct Period {
    start: Timestamp,
    end: Timestamp,
    now: Timestamp,
}

impl Period {
    fn read(shared: &Shared, version: Microversion, query: &Pairs, more: &[&str]) -> Result<Self, ApiError> {
        if version >= Microversion(75) {
            query.refuse_unknown(&[&["start", "end", "limit", "marker"], more].concat())?;
        }
        let now = shared.now();
        let time = |key: &str| match query.all(key).next().filter(|text| !text.is_empty()) {
            None => Ok(now),
            Some(text) => Timestamp::parse_iso(text)
                .ok_or_else(|| ApiError::invalid(key, links::shown(text), "Datetime is in invalid format")),
        };
        let (start, end) = (time("start")?, time("end")?);
        match start < end {
            true => Ok(Self { start, end: end.min(now), now }),
            false => Err(ApiError::BadRequest("Invalid start time. The start time cannot occur after the end time.".into())),
        }
    }

    /// What these servers took.
    fn summary(&self, project: ProjectId, instances: &[&Instance], is_detailed: bool) -> Value {
        let total =
            |of: &dyn Fn(&Instance) -> f64| instances.iter().map(|instance| self.hours(instance) * of(instance)).sum::<f64>();
        let mut summary = json!({
            "tenant_id": project,
            "start": self.start.to_micros_naive(),
            "stop": self.end.to_micros_naive(),
            "total_hours": total(&|_| 1.0),
            "total_vcpus_usage": total(&|instance| f64::from(instance.flavor.vcpus)),
            "total_memory_mb_usage": total(&|instance| instance.flavor.ram_mib as f64),
            "total_local_gb_usage": total(&|instance| gib(instance) as f64),
        });
        if is_detailed {
            summary["server_usages"] = instances.iter().map(|instance| self.server(instance)).collect();
        }
        summary
    }

    fn server(&self, instance: &Instance) -> Value {
        let state = match instance.deleted_at {
            Some(_) => "terminated",
            None => cuttle_model::wire::nova_view(&instance.state, instance.task, instance.power).vm_state,
        };
        let started = instance.launched_at.unwrap_or(instance.created_at);
        json!({
            "instance_id": instance.id,
            "name": instance.name,
            "tenant_id": instance.project_id,
            "flavor": instance.flavor.name,
            "state": state,
            "hours": self.hours(instance),
            "memory_mb": instance.flavor.ram_mib,
            "local_gb": gib(instance),
            "vcpus": instance.flavor.vcpus,
            "started_at": started.to_micros_naive(),
            "ended_at": instance.deleted_at.map(|time| time.to_micros_naive()),
            "uptime": instance.deleted_at.unwrap_or(self.now).since(started).as_secs(),
        })
    }

    /// How long it was there in this time; nothing, if it never ran.
    fn hours(&self, instance: &Instance) -> f64 {
        let Some(launched) = instance.launched_at else { return 0.0 };
        let end = instance.deleted_at.map_or(self.end, |deleted| deleted.min(self.end));
        end.since(launched.max(self.start)).as_secs_f64() / 3600.0
    }
}

fn gib(instance: &Instance) -> u64 {
    instance.flavor.disk_gib.saturating_add(instance.flavor.ephemeral_gib)
}

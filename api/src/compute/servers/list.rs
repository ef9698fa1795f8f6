//! `GET /servers` and `GET /servers/detail`: filters, order, pages.

use axum::extract::State;
use axum::response::Response;
use cuttle_database::InstanceQuery;
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::Instance;
use serde::Serialize;
use serde_json::Value;

use crate::compute::links;
use crate::compute::microversion::Microversion;
use crate::compute::servers::{filter::Filter, sort, view::Viewer};
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::caller::Caller;
use crate::web::json;
use crate::web::query::{MAX_LIMIT, Pairs};

/// What a server usually takes in an answer.
const SERVER_BYTES: usize = 2048;

pub async fn brief(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    address: Address,
    query: Pairs,
) -> Result<Response, ApiError> {
    let page = page(&shared, &caller, version, &query).await?;
    let viewer = Viewer::new(&shared, &caller, version, address, &[]).await?;
    let servers = page.instances.iter().map(|instance| viewer.brief(instance)).collect();
    page.answer(&viewer, "/servers", &query, servers)
}

pub async fn detail(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    address: Address,
    query: Pairs,
) -> Result<Response, ApiError> {
    let page = page(&shared, &caller, version, &query).await?;
    let viewer = Viewer::new(&shared, &caller, version, address, &page.instances).await?;
    let servers = page.instances.iter().map(|instance| viewer.detail(instance)).collect();
    page.answer(&viewer, "/servers/detail", &query, servers)
}

/// Some servers, and whether there are more.
struct Page {
    instances: Vec<Instance>,
    has_more: bool,
}

impl Page {
    fn answer<T: Serialize>(&self, viewer: &Viewer, path: &str, query: &Pairs, servers: Vec<T>) -> Result<Response, ApiError> {
        let last = self.instances.last().filter(|_| self.has_more);
        let servers_links = last.map(|last| links::next(viewer.address(), path, query, &last.id.to_string()));
        json::answer(&Body { servers, servers_links }, self.instances.len() * SERVER_BYTES)
    }
}

#[derive(Serialize)]
struct Body<T> {
    servers: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    servers_links: Option<Value>,
}

async fn page(shared: &Shared, caller: &Caller, version: Microversion, query: &Pairs) -> Result<Page, ApiError> {
    let limit = query.limit(MAX_LIMIT)?;
    let mut filter = Filter::read(shared, caller, version, query).await?;
    filter.query.sort = sort::order(query, caller, version)?;
    filter.query.marker = marker(shared, caller, query).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut instances = if filter.is_empty { Vec::new() } else { find(shared, &filter, limit + 1).await? };
    let has_more = instances.len() > limit;
    instances.truncate(limit);
    Ok(Page { instances, has_more })
}

async fn marker(shared: &Shared, caller: &Caller, query: &Pairs) -> Result<Option<InstanceId>, ApiError> {
    let Some(text) = query.one("marker")? else { return Ok(None) };
    let unknown = || ApiError::BadRequest(format!("marker [{}] not found", text.chars().take(64).collect::<String>()));
    let id: InstanceId = text.parse().map_err(|_| unknown())?;
    match shared.database.get_instance(id).await? {
        Some(instance) if caller.may_see(instance.project_id) => Ok(Some(id)),
        _ => Err(unknown()),
    }
}

/// The first `wanted` that match. Where the database cannot tell, its answers are gone through page by page.
async fn find(shared: &Shared, filter: &Filter, wanted: usize) -> Result<Vec<Instance>, ApiError> {
    let size = if filter.is_exact() { u32::try_from(wanted).unwrap_or(MAX_LIMIT) } else { MAX_LIMIT };
    let mut query = InstanceQuery { limit: Some(size), ..filter.query.clone() };
    let mut found = Vec::new();
    loop {
        let chunk = shared.database.list_instances(&query).await?;
        let is_last = chunk.len() < usize::try_from(size).unwrap_or(usize::MAX);
        query.marker = chunk.last().map(|instance| instance.id).or(query.marker);
        found.extend(chunk.into_iter().filter(|instance| filter.matches(instance)));
        if is_last || found.len() >= wanted {
            found.truncate(wanted);
            return Ok(found);
        }
    }
}

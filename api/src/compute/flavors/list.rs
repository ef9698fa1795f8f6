//! `GET /flavors` and `GET /flavors/detail`: filters, order, pages.
//!
//! A cloud has tens of flavors: they are read at once and put in order here.

use std::cmp::Ordering;

use axum::Json;
use axum::extract::State;
use cuttle_database::FlavorQuery;
use cuttle_model::flavor::Flavor;
use serde_json::{Map, Value};

use crate::compute::flavors::view;
use crate::compute::links;
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::caller::Caller;
use crate::web::query::{MAX_LIMIT, Pairs, boolean};

const KEYS: [&str; 7] = ["limit", "marker", "is_public", "minRam", "minDisk", "sort_key", "sort_dir"];

pub async fn brief(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    address: Address,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    let page = page(&shared, &caller, version, &query).await?;
    Ok(Json(page.into_body(&address, "/flavors", &query, |flavor| view::brief(flavor, version, &address))))
}

pub async fn detail(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    address: Address,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    let page = page(&shared, &caller, version, &query).await?;
    Ok(Json(page.into_body(&address, "/flavors/detail", &query, |flavor| view::detail(flavor, version, &address))))
}

/// Some flavors, and whether there are more.
struct Page {
    flavors: Vec<Flavor>,
    has_more: bool,
}

impl Page {
    fn into_body(self, address: &Address, path: &str, query: &Pairs, show: impl Fn(&Flavor) -> Value) -> Value {
        let mut body = Map::new();
        body.insert("flavors".into(), self.flavors.iter().map(show).collect());
        if let Some(last) = self.flavors.last().filter(|_| self.has_more) {
            body.insert("flavors_links".into(), links::next(address, path, query, &last.id.0));
        }
        Value::Object(body)
    }
}

async fn page(shared: &Shared, caller: &Caller, version: Microversion, query: &Pairs) -> Result<Page, ApiError> {
    if version >= Microversion(75) {
        query.refuse_unknown(&KEYS)?;
    }
    let limit = usize::try_from(query.limit(MAX_LIMIT)?).unwrap_or(usize::MAX);
    let filter = FlavorQuery {
        is_public: is_public(caller, query)?,
        project: Some(caller.project_id()?),
        min_ram_mib: query.number("minRam")?,
        min_disk_gib: query.number("minDisk")?,
        ..FlavorQuery::default()
    };
    let mut flavors = shared.database.list_flavors(&filter).await?;
    sort(&mut flavors, query)?;
    if let Some(marker) = query.one("marker")? {
        let at = flavors.iter().position(|flavor| flavor.id.0 == marker);
        let at = at.ok_or_else(|| ApiError::BadRequest(format!("marker [{marker}] not found")))?;
        flavors.drain(..=at);
    }
    let has_more = flavors.len() > limit;
    flavors.truncate(limit);
    Ok(Page { flavors, has_more })
}

/// Public ones for everybody; administrators choose, with Nova's words.
fn is_public(caller: &Caller, query: &Pairs) -> Result<Option<bool>, ApiError> {
    let Some(word) = query.one("is_public")?.filter(|_| caller.is_admin()) else { return Ok(Some(true)) };
    match boolean(word) {
        Some(choice) => Ok(Some(choice)),
        None if word.eq_ignore_ascii_case("none") => Ok(None),
        None => Err(ApiError::invalid("is_public", word, "A boolean or 'none' is expected.")),
    }
}

fn sort(flavors: &mut [Flavor], query: &Pairs) -> Result<(), ApiError> {
    let key = query.one("sort_key")?.unwrap_or("flavorid");
    let order: fn(&Flavor, &Flavor) -> Ordering = match key {
        "flavorid" | "id" => |a, b| a.id.cmp(&b.id),
        "name" => |a, b| a.name.cmp(&b.name),
        "memory_mb" => |a, b| a.ram_mib.cmp(&b.ram_mib),
        "vcpus" => |a, b| a.vcpus.cmp(&b.vcpus),
        "root_gb" => |a, b| a.disk_gib.cmp(&b.disk_gib),
        "ephemeral_gb" => |a, b| a.ephemeral_gib.cmp(&b.ephemeral_gib),
        "swap" => |a, b| a.swap_mib.cmp(&b.swap_mib),
        _ => return Err(ApiError::invalid("sort_key", key, "Flavors cannot be sorted by it.")),
    };
    let descending = match query.one("sort_dir")?.unwrap_or("asc") {
        "asc" => false,
        "desc" => true,
        other => return Err(ApiError::invalid("sort_dir", other, "'asc' or 'desc' is expected.")),
    };
    flavors.sort_by(|a, b| {
        let found = order(a, b).then_with(|| a.id.cmp(&b.id));
        if descending { found.reverse() } else { found }
    });
    Ok(())
}

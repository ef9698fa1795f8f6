//! `/os-migrations`: the moves of all instances, for administrators.

use axum::Json;
use axum::extract::State;
use cuttle_database::MigrationQuery;
use cuttle_model::ids::MigrationId;
use cuttle_model::migration::{Migration, MigrationKind};
use serde_json::{Map, Value, json};

use crate::compute::links;
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::query::{MAX_LIMIT, Pairs};
use crate::web::routes::{Access, Routes, Service};

/// From here on a migration says its kind, and links to itself where it can be steered.
const TYPED: Microversion = Microversion(23);
/// From here on there are pages, and ids.
const PAGED: Microversion = Microversion(59);
/// From here on the end of a span of time can be given.
const BEFORE: Microversion = Microversion(66);
/// From here on a migration says whose it is.
const OWNED: Microversion = Microversion(80);

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1").get("/os-migrations", Access::Admin, list)
}

async fn list(
    State(shared): State<Shared>,
    version: Microversion,
    address: Address,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    let Some(mut asked) = read_query(version, &query)? else { return Ok(Json(json!({ "migrations": [] }))) };
    let limit = if version >= PAGED { query.limit(MAX_LIMIT)? } else { u32::MAX };
    // One more than fits tells whether there is another page.
    asked.limit = Some(limit.saturating_add(1));
    if let Some(marker) = asked.marker {
        let known = MigrationQuery { id: Some(marker), limit: Some(1), ..MigrationQuery::default() };
        if shared.database.list_migrations(&known).await?.is_empty() {
            return Err(ApiError::BadRequest(format!("Marker {marker} could not be found.")));
        }
    }
    let mut found = shared.database.list_migrations(&asked).await?;
    let fits = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > fits;
    found.truncate(fits);
    let rows = found.iter().map(|migration| view(migration, version, &address)).collect();
    let mut body = Map::from_iter([("migrations".to_owned(), Value::Array(rows))]);
    if let Some(last) = found.last().filter(|_| has_more) {
        body.insert("migrations_links".into(), links::next(&address, "/os-migrations", &query, &last.id.to_string()));
    }
    Ok(Json(Value::Object(body)))
}

/// What is asked for; `None` where nothing can match.
fn read_query(version: Microversion, query: &Pairs) -> Result<Option<MigrationQuery>, ApiError> {
    let mut known = vec!["host", "instance_uuid", "migration_type", "source_compute", "status", "hidden"];
    if version >= PAGED {
        known.extend(["limit", "marker", "changes-since"]);
    }
    if version >= BEFORE {
        known.push("changes-before");
    }
    if version >= OWNED {
        known.extend(["user_id", "project_id"]);
    }
    // Before, what is not known is passed over.
    if version >= PAGED {
        query.refuse_unknown(&known)?;
    }
    let text = |key: &str| Ok::<_, ApiError>(query.one(key)?.filter(|_| known.contains(&key)).map(str::to_owned));
    let mut asked = MigrationQuery {
        status: text("status")?,
        host: text("host")?,
        source: text("source_compute")?,
        ..MigrationQuery::default()
    };
    if let Some(word) = text("migration_type")? {
        let Some(kind) = MigrationKind::from_word(&word) else { return Ok(None) };
        asked.kind = Some(kind);
    }
    if let Some(id) = text("instance_uuid")? {
        let Ok(id) = id.parse() else { return Ok(None) };
        asked.instance = Some(id);
    }
    if let Some(id) = text("project_id")? {
        let Ok(id) = id.parse() else { return Ok(None) };
        asked.project = Some(id);
    }
    if let Some(id) = text("user_id")? {
        let Ok(id) = id.parse() else { return Ok(None) };
        asked.user = Some(id);
    }
    if version >= PAGED {
        asked.changed_since = query.time("changes-since")?;
        asked.marker = match text("marker")? {
            Some(marker) => {
                Some(marker.parse::<MigrationId>().map_err(|error| ApiError::BadRequest(format!("marker: {error}")))?)
            }
            None => None,
        };
    }
    if version >= BEFORE {
        asked.changed_before = query.time("changes-before")?;
    }
    match (asked.changed_since, asked.changed_before) {
        (Some(since), Some(before)) if since > before => {
            Err(ApiError::BadRequest("The value of changes-since must be less than or equal to changes-before.".into()))
        }
        _ => Ok(Some(asked)),
    }
}

fn view(migration: &Migration, version: Microversion, address: &Address) -> Value {
    let (source, destination) = (&migration.source, &migration.destination);
    let mut shown = json!({
        "id": migration.number,
        "instance_uuid": migration.instance_id,
        "status": migration.status.as_str(),
        "source_compute": source,
        "source_node": source,
        "dest_compute": destination,
        "dest_node": destination,
        "dest_host": Value::Null,
        // Numbers of flavors are Nova's own; flavors here have ids only, which the server's actions tell.
        "old_instance_type_id": Value::Null,
        "new_instance_type_id": Value::Null,
        "created_at": migration.created_at.to_micros_naive(),
        "updated_at": migration.updated_at.to_micros_naive(),
    });
    if version >= TYPED {
        shown["migration_type"] = json!(migration.kind.as_str());
        if migration.kind == MigrationKind::LiveMigration && !migration.status.is_settled() {
            let collection = format!("servers/{}/migrations", migration.instance_id);
            shown["links"] = json!(links::links(address, &collection, &migration.number.to_string()));
        }
    }
    if version >= PAGED {
        shown["uuid"] = json!(migration.id);
    }
    if version >= OWNED {
        shown["project_id"] = json!(migration.project_id);
        shown["user_id"] = json!(migration.user_id);
    }
    shown
}

//! `/os-services`: the hosts' agents, for administrators, who take hosts out of placement and put them back.
//! Each is shown as Nova's `nova-compute`, the name by which clients find them.

use axum::Json;
use axum::extract::State;
use cuttle_model::host::{Administrative, Host};
use serde_json::{Value, json};

use crate::compute::availability_zones::Zones;
use crate::compute::hosts;
use crate::compute::keypairs::Name;
use crate::compute::links::shown;
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::path::PathId;
use crate::web::query::{Pairs, boolean};
use crate::web::routes::{Access, Routes, Service};
use crate::web::validation::{Schema, truth};

const BINARY: &str = "nova-compute";
/// From here on services are named by their ids; before, by host and binary.
const BY_ID: Microversion = Microversion(53);

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1")
        .get("/os-services", Access::Admin, list)
        .put("/os-services/{id}", Access::Admin, update)
        .takes(&UPDATE)
}

/// `PUT /os-services/{id}`.
static UPDATE: Schema = Schema::new(
    |version| {
        let text = json!({"type": "string", "minLength": 1, "maxLength": 255});
        let mut fields = json!({ "disabled_reason": text });
        if version >= Microversion(11) {
            fields["forced_down"] = truth();
        }
        let mut required = json!(["host", "binary"]);
        if version >= BY_ID {
            fields["status"] = json!({"type": "string", "enum": ["enabled", "disabled"]});
            required = json!([]);
        } else {
            fields["host"] = text.clone();
            fields["binary"] = text;
        }
        json!({"type": "object", "properties": fields, "required": required, "additionalProperties": false})
    },
    &[11, 53],
);

async fn list(State(shared): State<Shared>, version: Microversion, query: Pairs) -> Result<Json<Value>, ApiError> {
    if version >= Microversion(75) {
        query.refuse_unknown(&["host", "binary"])?;
    }
    let wanted = query.last("host");
    let known = match query.last("binary").is_none_or(|binary| binary == BINARY) {
        true => shared.database.list_hosts().await?,
        false => Vec::new(),
    };
    let zones = Zones::read(&shared).await?;
    let known: Vec<Value> = known
        .iter()
        .enumerate()
        .filter(|(_, host)| wanted.is_none_or(|name| host.name.as_str() == name))
        .map(|(index, host)| view(&shared, &zones, index, host, version))
        .collect();
    Ok(Json(json!({ "services": known })))
}

/// Enables or disables. Before 2.53 the path says what is done, and the body to which.
async fn update(
    State(shared): State<Shared>,
    version: Microversion,
    PathId(Name(id)): PathId<Name>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    UPDATE.check(version, &body)?;
    let change = Change::read(version, &id, &body)?;
    let known = shared.database.list_hosts().await?;
    let found = match version >= BY_ID {
        true => known.into_iter().enumerate().find(|(_, host)| Ok(host.id) == id.parse()),
        false if body["binary"] == BINARY => known.into_iter().enumerate().find(|(_, host)| body["host"] == host.name.as_str()),
        false => None,
    };
    let (index, mut host) = found.ok_or_else(|| not_found(version, &id, &body))?;
    if let Some(administrative) = change.administrative {
        if !shared.database.set_administrative(host.id, &administrative).await? {
            return Err(not_found(version, &id, &body));
        }
        host.administrative = administrative;
    }
    match version >= BY_ID {
        true => Ok(Json(json!({ "service": view(&shared, &Zones::read(&shared).await?, index, &host, version) }))),
        false => Ok(Json(json!({ "service": old_view(&host, &id) }))),
    }
}

/// What a request asks for.
struct Change {
    administrative: Option<Administrative>,
}

impl Change {
    fn read(version: Microversion, id: &str, body: &Value) -> Result<Self, ApiError> {
        let reason = body["disabled_reason"].as_str().map(str::to_owned);
        let truth = |value: &Value| value.as_bool().or_else(|| value.as_str().and_then(boolean));
        let is_forced = truth(&body["forced_down"]) == Some(true);
        if is_forced {
            // Whether a host is down is found out, not said: guests may still run on it.
            return Err(ApiError::not_yet("forced_down", "true"));
        }
        let disabled = |reason| Some(Administrative::Disabled { reason });
        let administrative = match (version >= BY_ID, id, body["status"].as_str()) {
            (true, _, Some("disabled")) => disabled(reason),
            (true, ..) if reason.is_some() => {
                return Err(ApiError::BadRequest("Specifying disabled_reason requires that status is 'disabled'.".into()));
            }
            (true, _, Some(_)) => Some(Administrative::Enabled),
            (true, _, None) if body["forced_down"].is_null() => {
                return Err(ApiError::BadRequest(
                    "No valid updates were requested. Fields 'status' or 'forced_down' should be specified.".into(),
                ));
            }
            (true, _, None) => None,
            (false, "enable", _) => Some(Administrative::Enabled),
            (false, "disable", _) => disabled(None),
            (false, "disable-log-reason", _) if reason.is_some() => disabled(reason),
            (false, "disable-log-reason", _) => {
                return Err(ApiError::BadRequest("Missing disabled reason field".into()));
            }
            (false, "force-down", _) if version >= Microversion(11) && !body["forced_down"].is_null() => None,
            (false, "force-down", _) if version >= Microversion(11) => {
                return Err(ApiError::BadRequest("Missing forced_down field".into()));
            }
            (false, _, _) => return Err(ApiError::NotFound("Unknown action".into())),
        };
        Ok(Self { administrative })
    }
}

fn not_found(version: Microversion, id: &str, body: &Value) -> ApiError {
    ApiError::NotFound(match version >= BY_ID {
        true => format!("Service {} could not be found.", shown(id)),
        false => format!(
            "Could not find binary {} on host {}.",
            shown(body["binary"].as_str().unwrap_or_default()),
            shown(body["host"].as_str().unwrap_or_default())
        ),
    })
}

/// As Nova answered before 2.53.
fn old_view(host: &Host, action: &str) -> Value {
    let (status, reason) = hosts::administrative(host);
    let mut shown = json!({ "host": host.name, "binary": BINARY });
    match action {
        "force-down" => shown["forced_down"] = json!(false),
        "disable-log-reason" => {
            shown["status"] = json!(status);
            shown["disabled_reason"] = json!(reason);
        }
        _ => shown["status"] = json!(status),
    }
    shown
}

fn view(shared: &Shared, zones: &Zones, index: usize, host: &Host, version: Microversion) -> Value {
    let (status, reason) = hosts::administrative(host);
    let mut shown = json!({
        // Before 2.53 a service has a number, which nothing else refers to.
        "id": if version >= BY_ID { json!(host.id) } else { json!(index + 1) },
        "binary": BINARY,
        "host": host.name,
        "zone": zones.of(host.id),
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

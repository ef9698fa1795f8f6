//! `/servers/{id}/os-instance-actions`: what was done to a server, by whom, step by step. It is the
//! operations' journal in Nova's words.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use cuttle_database::OperationQuery;
use cuttle_model::clock::Timestamp;
use cuttle_model::host::Host;
use cuttle_model::ids::{HostId, InstanceId};
use cuttle_model::instance::Instance;
use cuttle_model::operation::{Direction, Operation, OperationKind, OperationStatus, StepRecord, StepResult, Subject};
use serde_json::{Map, Value, json};

use crate::compute::microversion::Microversion;
use crate::compute::{hosts, links, servers};
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::caller::Caller;
use crate::web::path::{PathId, PathPair};
use crate::web::query::{MAX_LIMIT, Pairs};

/// From here on lists have pages and times.
const PAGED: Microversion = Microversion(58);

pub async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    address: Address,
    PathId(id): PathId<InstanceId>,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    let range = Range::read(version, &query)?;
    instance(&shared, &caller, version, id).await?;
    let mut found = shared.database.list_operations(Subject::Instance(id)).await?;
    if let Some(marker) = range.marker {
        let at = found.iter().position(|operation| operation.request_id.as_str() == marker);
        let at = at.ok_or_else(|| ApiError::BadRequest(format!("marker [{}] not found", links::shown(marker))))?;
        found.drain(..=at);
    }
    found.retain(|operation| range.holds(operation));
    let has_more = found.len() > range.limit;
    found.truncate(range.limit);
    let mut body = Map::new();
    body.insert("instanceActions".into(), found.iter().map(|operation| brief(operation, id, version)).collect());
    if let Some(last) = found.last().filter(|_| has_more && version >= PAGED) {
        let path = format!("/servers/{id}/os-instance-actions");
        body.insert("links".into(), links::next(&address, &path, &query, last.request_id.as_str()));
    }
    Ok(Json(Value::Object(body)))
}

pub async fn show(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    PathPair(id, request): PathPair<InstanceId>,
) -> Result<Json<Value>, ApiError> {
    let instance = instance(&shared, &caller, version, id).await?;
    let query = OperationQuery {
        subject: Some(Subject::Instance(id)),
        request: Some(cuttle_model::ids::RequestId::from_stored(request.clone())),
        limit: Some(1),
        ..OperationQuery::default()
    };
    let found = shared.database.find_operations(&query).await?.into_iter().next();
    let operation = found.ok_or_else(|| {
        ApiError::NotFound(format!("Action for request_id {} on instance {id} not found", links::shown(&request)))
    })?;
    let mut shown = brief(&operation, id, version);
    // Owners see the events from 2.51 on.
    if caller.is_admin() || version >= Microversion(51) {
        let steps = shared.database.list_steps(&[operation.id]).await?;
        let known = if version >= Microversion(62) { hosts::by_id(&shared).await? } else { HashMap::new() };
        let place = Place::of(&operation, &instance, &known);
        let event = |(_, step): &(_, StepRecord)| event(step, &place, &caller, version);
        shown["events"] = steps.iter().map(event).collect();
    }
    Ok(Json(json!({ "instanceAction": shown })))
}

/// What a query asks of the list.
struct Range<'a> {
    limit: usize,
    marker: Option<&'a str>,
    since: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl<'a> Range<'a> {
    fn read(version: Microversion, query: &'a Pairs) -> Result<Self, ApiError> {
        if version < PAGED {
            return Ok(Self { limit: usize::MAX, marker: None, since: None, before: None });
        }
        let with_before = version >= Microversion(66);
        let keys = ["limit", "marker", "changes-since", "changes-before"];
        query.refuse_unknown(if with_before { &keys } else { &keys[..3] })?;
        let (since, before) = (query.time("changes-since")?, query.time("changes-before")?);
        if let (Some(since), Some(before)) = (since, before)
            && since > before
        {
            return Err(ApiError::BadRequest("The value of changes-since must be less than or equal to changes-before.".into()));
        }
        let limit = usize::try_from(query.limit(MAX_LIMIT)?).unwrap_or(usize::MAX);
        Ok(Self { limit, marker: query.one("marker")?, since, before })
    }

    fn holds(&self, operation: &Operation) -> bool {
        let changed = changed_at(operation);
        self.since.is_none_or(|since| changed >= since) && self.before.is_none_or(|before| changed <= before)
    }
}

/// Where an action was at work.
struct Place {
    name: Option<String>,
    opaque: String,
}

impl Place {
    /// Where the operation says that it was, or else where the instance is.
    fn of(operation: &Operation, instance: &Instance, known: &HashMap<HostId, Host>) -> Self {
        let noted = operation.state["host_id"].as_str().and_then(|text| text.parse().ok());
        let Some(id) = noted.or(instance.host_id) else { return Self { name: None, opaque: String::new() } };
        let opaque = hosts::opaque_id(&instance.project_id.to_string(), &id.to_string());
        Self { name: known.get(&id).map(|host| host.name.to_string()), opaque }
    }
}

/// The instance, deleted or not from 2.21 on.
async fn instance(shared: &Shared, caller: &Caller, version: Microversion, id: InstanceId) -> Result<Instance, ApiError> {
    if version < Microversion(21) {
        return servers::get(shared, caller, id).await;
    }
    let found = shared.database.get_instance(id).await?.filter(|instance| caller.may_see(instance.project_id));
    found.ok_or_else(|| ApiError::NotFound(format!("Instance {id} could not be found.")))
}

fn brief(operation: &Operation, id: InstanceId, version: Microversion) -> Value {
    let failed = matches!(operation.status, OperationStatus::Undoing | OperationStatus::Undone | OperationStatus::Parked);
    let mut shown = json!({
        "action": name(operation.kind),
        "instance_uuid": id,
        "request_id": operation.request_id,
        "user_id": operation.user_id,
        "project_id": operation.project_id,
        "start_time": operation.started_at.to_micros_naive(),
        "message": failed.then_some("Error"),
    });
    if version >= PAGED {
        shown["updated_at"] = json!(changed_at(operation).to_micros_naive());
    }
    shown
}

fn changed_at(operation: &Operation) -> Timestamp {
    operation.finished_at.unwrap_or(operation.started_at)
}

/// Nova's word: what is done, without to what.
fn name(kind: OperationKind) -> &'static str {
    match kind.as_str() {
        word if word.ends_with("reboot_instance") => "reboot",
        "confirm_resize" => "confirmResize",
        "revert_resize" => "revertResize",
        word => word.strip_suffix("_instance").unwrap_or(word),
    }
}

fn event(step: &StepRecord, place: &Place, caller: &Caller, version: Microversion) -> Value {
    let prefix = match step.direction {
        Direction::Do => "compute_",
        Direction::Undo => "compute_undo_",
    };
    let mut shown = json!({
        "event": format!("{prefix}{}", step.name.replace(' ', "_")),
        "start_time": step.started_at.to_micros_naive(),
        "finish_time": step.finished_at.map(|time| time.to_micros_naive()),
        "result": step.result.map(|result| match result {
            StepResult::Done => "Success",
            StepResult::Retry | StepResult::Failed => "Error",
        }),
    });
    if caller.is_admin() {
        // There are no tracebacks: what went wrong is a sentence.
        shown["traceback"] = Value::Null;
    }
    if version >= Microversion(62) {
        shown["hostId"] = json!(place.opaque);
        if let Some(name) = place.name.as_ref().filter(|_| caller.is_admin()) {
            shown["host"] = json!(name);
        }
    }
    if version >= Microversion(84) && caller.is_admin() {
        shown["details"] = json!(step.message);
    }
    shown
}

//! `/os-server-groups`: a project's groups of servers that are to be together, or apart.

mod schema;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_model::ids::{InstanceId, ServerGroupId};
use cuttle_model::server_group::{GroupPolicy, ServerGroup};
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::compute::quotas;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;
use crate::web::path::PathId;
use crate::web::query::{MAX_LIMIT, Pairs};
use crate::web::routes::{Access, Routes, Service};

/// From here on a group has one policy with rules, before a list of them.
const RULES: Microversion = Microversion(64);

pub fn routes(shared: &Shared) -> Routes<Shared> {
    Routes::new(shared, Service::Compute, "/v2.1")
        .get("/os-server-groups", Access::Reader, list)
        .post("/os-server-groups", Access::Member, create)
        .takes(&schema::CREATE)
        .get("/os-server-groups/{id}", Access::Reader, show)
        .delete("/os-server-groups/{id}", Access::Member, delete)
}

async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    if version >= Microversion(75) {
        query.refuse_unknown(&["all_projects", "limit", "offset"])?;
    }
    // As in Nova, its being there is enough.
    let all = query.last("all_projects").is_some() && caller.is_admin();
    let project = if all { None } else { Some(caller.project_id()?) };
    let limit = usize::try_from(query.limit(MAX_LIMIT)?).unwrap_or(usize::MAX);
    let offset = usize::try_from(query.number("offset")?.unwrap_or(0)).unwrap_or(usize::MAX);
    let found = shared.database.list_server_groups(project).await?;
    let rows = found.iter().skip(offset).take(limit).map(|(group, members)| view(group, members, version));
    Ok(Json(json!({ "server_groups": rows.collect::<Vec<_>>() })))
}

async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    schema::CREATE.check(version, &body)?;
    let fields = &body["server_group"];
    let word = if version >= RULES { &fields["policy"] } else { &fields["policies"][0] };
    let policy = word.as_str().and_then(GroupPolicy::from_word);
    let policy = policy.ok_or_else(|| ApiError::invalid("policy", word, "There is no such policy."))?;
    let group = ServerGroup {
        id: ServerGroupId::new(shared.ids.as_ref()),
        project_id: caller.project_id()?,
        user_id: caller.grant.user.id,
        name: fields["name"].as_str().unwrap_or_default().to_owned(),
        policy,
        max_per_host: max_per_host(&fields["rules"], policy)?,
        created_at: shared.now(),
    };
    match shared.database.insert_server_group(&group, &quotas::scope(&shared, &caller)?).await? {
        true => Ok(Json(json!({ "server_group": view(&group, &[], version) }))),
        false => Err(ApiError::Forbidden("Quota exceeded, too many server groups.".into())),
    }
}

/// Only groups that keep apart may say how far.
fn max_per_host(rules: &Value, policy: GroupPolicy) -> Result<Option<u32>, ApiError> {
    let field = "max_server_per_host";
    let value = &rules[field];
    let number = value.as_u64().or_else(|| value.as_str().and_then(|digits| digits.parse().ok()));
    let number = number.and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
    match (value.is_null(), number, policy) {
        (true, _, _) => Ok(None),
        (false, Some(number), GroupPolicy::AntiAffinity) => Ok(Some(number)),
        (false, Some(_), _) => Err(ApiError::BadRequest(
            "Invalid input for field/attribute rules. Only anti-affinity policy supports rules.".to_owned(),
        )),
        (false, None, _) => Err(ApiError::invalid(field, value, "A number from 1 on is expected.")),
    }
}

async fn show(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    PathId(id): PathId<ServerGroupId>,
) -> Result<Json<Value>, ApiError> {
    let (group, members) = visible(&shared, &caller, id).await?;
    Ok(Json(json!({ "server_group": view(&group, &members, version) })))
}

async fn delete(State(shared): State<Shared>, caller: Caller, PathId(id): PathId<ServerGroupId>) -> Result<StatusCode, ApiError> {
    visible(&shared, &caller, id).await?;
    match shared.database.delete_server_group(id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(not_found(id)),
    }
}

/// The group, if the caller may see it.
async fn visible(shared: &Shared, caller: &Caller, id: ServerGroupId) -> Result<(ServerGroup, Vec<InstanceId>), ApiError> {
    let found = shared.database.get_server_group(id).await?;
    found.filter(|(group, _)| caller.may_see(group.project_id)).ok_or_else(|| not_found(id))
}

/// The group that a caller wants a new server in.
pub async fn of_server(shared: &Shared, caller: &Caller, id: ServerGroupId) -> Result<ServerGroupId, ApiError> {
    let found =
        shared.database.get_server_group(id).await?.filter(|(group, _)| caller.project_id().ok() == Some(group.project_id));
    found.map(|(group, _)| group.id).ok_or_else(|| ApiError::BadRequest(format!("Instance group {id} could not be found.")))
}

fn not_found(id: ServerGroupId) -> ApiError {
    ApiError::NotFound(format!("Instance group {id} could not be found."))
}

fn view(group: &ServerGroup, members: &[InstanceId], version: Microversion) -> Value {
    let mut shown = json!({ "id": group.id, "name": group.name, "members": members });
    if version >= RULES {
        shown["policy"] = json!(group.policy.as_str());
        shown["rules"] = group.max_per_host.map_or_else(|| json!({}), |most| json!({ "max_server_per_host": most }));
    } else {
        shown["policies"] = json!([group.policy.as_str()]);
        shown["metadata"] = json!({});
    }
    if version >= Microversion(13) {
        shown["project_id"] = json!(group.project_id);
        shown["user_id"] = json!(group.user_id);
    }
    shown
}

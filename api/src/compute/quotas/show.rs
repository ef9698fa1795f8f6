//! `GET /os-quota-sets/{project}`, `…/detail` and `…/defaults`.

use axum::Json;
use axum::extract::State;
use cuttle_model::quota::Resource;
use serde_json::{Value, json};

use crate::compute::keypairs::Name;
use crate::compute::microversion::Microversion;
use crate::compute::quotas::{self, Subject};
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::caller::Caller;
use crate::web::path::PathId;
use crate::web::query::Pairs;

pub async fn brief(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    PathId(Name(project)): PathId<Name>,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    quotas::check_query(version, &query)?;
    quotas::may_see(&caller, &project, "show")?;
    let limits = Subject::read(&shared, &project, &query).await?.limits(&shared).await?;
    let set = quotas::set(Some(&project), quotas::resources(version), |resource| json!(limits.of_user(resource)));
    Ok(Json(json!({ "quota_set": set })))
}

/// Limits and what is used of them. Nothing is ever reserved: what is counted is there.
pub async fn detail(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    PathId(Name(project)): PathId<Name>,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    quotas::check_query(version, &query)?;
    quotas::may_see(&caller, &project, "detail")?;
    let subject = Subject::read(&shared, &project, &query).await?;
    let (limits, usage) = (subject.limits(&shared).await?, subject.usage(&shared).await?);
    let keypairs = match subject.user {
        Some(user) => shared.database.count_keypairs(user).await?,
        None => 0,
    };
    let set = quotas::set(Some(&project), quotas::resources(version), |resource| {
        let used = if resource == Resource::KeyPairs { keypairs } else { usage.of(resource) };
        json!({ "limit": limits.of_user(resource), "in_use": used, "reserved": 0 })
    });
    Ok(Json(json!({ "quota_set": set })))
}

/// What holds where nothing was set for the project.
pub async fn defaults(
    State(shared): State<Shared>,
    version: Microversion,
    PathId(Name(project)): PathId<Name>,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    Subject::read(&shared, &project, &query).await?;
    let limits = shared.database.get_default_quota(shared.quota).await?;
    let set = quotas::set(Some(&project), quotas::resources(version), |resource| json!(limits.get(resource)));
    Ok(Json(json!({ "quota_set": set })))
}

//! `PUT` and `DELETE /os-quota-sets/{project}`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_model::quota::{Resource, UNLIMITED};
use serde_json::{Value, json};

use crate::compute::keypairs::Name;
use crate::compute::microversion::Microversion;
use crate::compute::quotas::{self, Subject, schema};
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::path::PathId;
use crate::web::query::{Pairs, boolean};

pub async fn update(
    State(shared): State<Shared>,
    version: Microversion,
    PathId(Name(project)): PathId<Name>,
    query: Pairs,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    quotas::check_query(version, &query)?;
    schema::UPDATE.check(version, &body)?;
    let subject = Subject::read(&shared, &project, &query).await?;
    let fields = &body["quota_set"];
    let asked = read(fields)?;
    if !is_forced(fields) {
        let (limits, usage) = (subject.limits(&shared).await?, subject.usage(&shared).await?);
        for (resource, limit) in &asked {
            let most = if subject.user.is_some() { limits.project.get(*resource) } else { UNLIMITED };
            check(*resource, *limit, usage.of(*resource), most)?;
        }
    }
    shared.database.set_quota(subject.project, subject.user, &asked).await?;
    let limits = subject.limits(&shared).await?;
    let set = quotas::set(None, quotas::resources(version), |resource| json!(limits.of_user(resource)));
    Ok(Json(json!({ "quota_set": set })))
}

pub async fn reset(
    State(shared): State<Shared>,
    version: Microversion,
    PathId(Name(project)): PathId<Name>,
    query: Pairs,
) -> Result<StatusCode, ApiError> {
    quotas::check_query(version, &query)?;
    // A project that is gone may have left limits.
    if let Ok(project) = project.parse() {
        shared.database.reset_quota(project, quotas::user(&query)?).await?;
    }
    Ok(StatusCode::ACCEPTED)
}

/// The limits in a body that the schema has accepted.
pub fn read(fields: &Value) -> Result<BTreeMap<Resource, i64>, ApiError> {
    let known = fields.as_object().into_iter().flatten();
    let known = known.filter_map(|(key, value)| Some((Resource::from_word(key)?, value)));
    known
        .map(|(resource, value)| {
            let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
            let number = number.filter(|number| (UNLIMITED..=i64::from(i32::MAX)).contains(number));
            let why = "A whole number from -1, which is no limit, to 2147483647 is expected.";
            Ok((resource, number.ok_or_else(|| ApiError::invalid(resource.as_str(), value, why))?))
        })
        .collect()
}

fn is_forced(fields: &Value) -> bool {
    fields["force"].as_bool().or_else(|| fields["force"].as_str().and_then(boolean)).unwrap_or(false)
}

fn check(resource: Resource, limit: i64, least: i64, most: i64) -> Result<(), ApiError> {
    let finite = |limit: i64| if limit == UNLIMITED { i64::MAX } else { limit };
    let name = resource.as_str();
    if finite(limit) < least {
        return Err(ApiError::BadRequest(format!(
            "Quota limit {limit} for {name} must be greater than or equal to already used and reserved {least}."
        )));
    }
    match finite(limit) <= finite(most) {
        true => Ok(()),
        false => Err(ApiError::BadRequest(format!("Quota limit {limit} for {name} must be less than or equal to {most}."))),
    }
}

//! `/os-quota-class-sets/default`: the limits of all projects for which none is set. There is no other
//! class.

use axum::Json;
use axum::extract::State;
use cuttle_model::quota::{Amounts, Resource};
use serde_json::{Map, Value, json};

use crate::compute::keypairs::Name;
use crate::compute::microversion::Microversion;
use crate::compute::quotas::{self, change, schema};
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::path::PathId;

const CLASS: &str = "default";

pub async fn show(
    State(shared): State<Shared>,
    version: Microversion,
    PathId(Name(class)): PathId<Name>,
) -> Result<Json<Value>, ApiError> {
    let limits = shared.database.get_default_quota(shared.quota).await?;
    Ok(Json(json!({ "quota_class_set": view(Some(&class), &limits, version) })))
}

pub async fn update(
    State(shared): State<Shared>,
    version: Microversion,
    PathId(Name(class)): PathId<Name>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    schema::UPDATE_CLASS.check(version, &body)?;
    if class != CLASS {
        let shown = crate::compute::links::shown(&class);
        return Err(ApiError::invalid("quota_class", shown, "There is one quota class, 'default'."));
    }
    shared.database.set_default_quota(&change::read(&body["quota_class_set"])?).await?;
    let limits = shared.database.get_default_quota(shared.quota).await?;
    Ok(Json(json!({ "quota_class_set": view(None, &limits, version) })))
}

/// What a class has at a version: server groups came and networks went with 2.50, files went with 2.57.
pub fn resources(version: Microversion) -> impl Iterator<Item = Resource> {
    use Resource as R;
    let shown = move |resource: &Resource| match resource {
        R::ServerGroups | R::ServerGroupMembers => version >= Microversion(50),
        R::FixedIps | R::FloatingIps | R::SecurityGroups | R::SecurityGroupRules => version < Microversion(50),
        R::InjectedFiles | R::InjectedFileContentBytes | R::InjectedFilePathBytes => version < Microversion(57),
        _ => true,
    };
    Resource::ALL.into_iter().filter(shown)
}

fn view(id: Option<&str>, limits: &Amounts, version: Microversion) -> Map<String, Value> {
    quotas::set(id, resources(version), |resource| json!(limits.get(resource)))
}

//! Who may use a private flavor: `GET /flavors/{id}/os-flavor-access`, and the actions
//! `addTenantAccess` and `removeTenantAccess`.

use axum::Json;
use axum::extract::State;
use cuttle_model::flavor::FlavorId;
use cuttle_model::ids::ProjectId;
use serde_json::{Value, json};

use crate::compute::flavors::{self, schema};
use crate::compute::links::shown;
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;
use crate::web::path::PathId;

const ADD: &str = "addTenantAccess";
const REMOVE: &str = "removeTenantAccess";

pub async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    PathId(flavors::Id(id)): PathId<flavors::Id>,
) -> Result<Json<Value>, ApiError> {
    let flavor = flavors::get(&shared, &caller, &id).await?;
    if flavor.is_public {
        return Err(ApiError::NotFound("Access list not available for public flavors.".into()));
    }
    view(&shared, &id).await
}

/// `POST /flavors/{id}/action`.
pub async fn action(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    PathId(flavors::Id(id)): PathId<flavors::Id>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    let mut keys = body.as_object().into_iter().flat_map(|map| map.keys());
    let name = match (keys.next().map(String::as_str), keys.next()) {
        (Some(ADD), None) => ADD,
        (Some(REMOVE), None) => REMOVE,
        (Some(other), None) => return Err(ApiError::BadRequest(format!("There is no such action: {}", shown(other)))),
        _ => return Err(ApiError::BadRequest("Malformed request body: one action is expected.".into())),
    };
    if name == ADD { &schema::ADD_ACCESS } else { &schema::REMOVE_ACCESS }.check(version, &body)?;
    let flavor = flavors::get(&shared, &caller, &id).await?;
    let tenant = body[name]["tenant"].as_str().unwrap_or_default();
    match name {
        ADD if flavor.is_public && version >= Microversion(7) => {
            Err(ApiError::Conflict("Can not add access to a public flavor.".into()))
        }
        ADD => add(&shared, &id, tenant).await,
        _ => remove(&shared, &id, tenant).await,
    }
}

async fn add(shared: &Shared, id: &FlavorId, tenant: &str) -> Result<Json<Value>, ApiError> {
    let project = project(shared, tenant).await?;
    match shared.database.add_flavor_access(id, project).await? {
        true => view(shared, id).await,
        false => {
            let text = format!("Flavor access already exists for flavor {id} and project {project} combination.");
            Err(ApiError::Conflict(text))
        }
    }
}

/// A project that is gone can still be removed.
async fn remove(shared: &Shared, id: &FlavorId, tenant: &str) -> Result<Json<Value>, ApiError> {
    let project: ProjectId = tenant.parse().map_err(|_| unknown(tenant))?;
    match shared.database.remove_flavor_access(id, project).await? {
        true => view(shared, id).await,
        false => Err(ApiError::NotFound(format!("Flavor access not found for {id} / {project} combination."))),
    }
}

async fn project(shared: &Shared, tenant: &str) -> Result<ProjectId, ApiError> {
    let id = tenant.parse().map_err(|_| unknown(tenant))?;
    shared.database.get_project(id).await?.map(|project| project.id).ok_or_else(|| unknown(tenant))
}

fn unknown(tenant: &str) -> ApiError {
    ApiError::BadRequest(format!("Project ID {} is not a valid project.", shown(tenant)))
}

async fn view(shared: &Shared, id: &FlavorId) -> Result<Json<Value>, ApiError> {
    let projects = shared.database.list_flavor_access(id).await?;
    let rows: Vec<Value> = projects.iter().map(|project| json!({ "flavor_id": id, "tenant_id": project })).collect();
    Ok(Json(json!({ "flavor_access": rows })))
}

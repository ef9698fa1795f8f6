//! Projects.

pub mod change;

use axum::Json;
use axum::extract::State;
use cuttle_model::identity::{DEFAULT_DOMAIN, Project};
use cuttle_model::ids::{ProjectId, UserId};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::identity::{envelope, self_link};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::caller::Caller;
use crate::web::path::PathId;
use crate::web::query::{Pairs, boolean};

/// `GET /v3/projects`, by name, enabled and domain.
pub async fn list(State(shared): State<Shared>, address: Address, query: Pairs) -> Result<Json<Value>, ApiError> {
    let projects = shared.database.list_projects().await?;
    let (name, enabled) = (query.last("name"), query.last("enabled").and_then(boolean));
    let in_domain = query.last("domain_id").is_none_or(|id| id == DEFAULT_DOMAIN);
    let wanted = |project: &&Project| {
        in_domain && name.is_none_or(|name| project.name == name) && enabled.is_none_or(|enabled| project.enabled == enabled)
    };
    let shown = projects.iter().filter(wanted).map(|project| view(project, &address)).collect();
    Ok(Json(envelope(&address, "/projects", "projects", shown)))
}

/// `GET /v3/projects/{id}`: the caller's own, or any for an administrator.
pub async fn show(
    State(shared): State<Shared>,
    caller: Caller,
    address: Address,
    PathId(id): PathId<ProjectId>,
) -> Result<Json<Value>, ApiError> {
    let project = shared.database.get_project(id).await?.filter(|_| caller.may_see(id)).ok_or_else(|| missing(id))?;
    Ok(Json(json!({ "project": view(&project, &address) })))
}

/// `GET /v3/auth/projects`: those that the caller can have a token for.
pub async fn mine(State(shared): State<Shared>, caller: Caller, address: Address) -> Result<Json<Value>, ApiError> {
    let shown = of(&shared, caller.grant.user.id, &address).await?;
    Ok(Json(envelope(&address, "/auth/projects", "projects", shown)))
}

/// `GET /v3/users/{id}/projects`.
pub async fn of_user(
    State(shared): State<Shared>,
    caller: Caller,
    address: Address,
    PathId(id): PathId<UserId>,
) -> Result<Json<Value>, ApiError> {
    if caller.grant.user.id != id && !caller.is_admin() {
        return Err(ApiError::NotFound(format!("Could not find user: {id}.")));
    }
    let shown = of(&shared, id, &address).await?;
    Ok(Json(envelope(&address, &format!("/users/{id}/projects"), "projects", shown)))
}

async fn of(shared: &Shared, user: UserId, address: &Address) -> Result<Vec<Value>, ApiError> {
    let projects = shared.database.projects_of(user).await?;
    Ok(projects.iter().filter(|project| project.enabled).map(|project| view(project, address)).collect())
}

pub fn missing(id: ProjectId) -> ApiError {
    ApiError::NotFound(format!("Could not find project: {id}."))
}

pub fn view(project: &Project, address: &Address) -> Value {
    json!({
        "id": project.id,
        "name": project.name,
        "description": project.description,
        "enabled": project.enabled,
        "domain_id": DEFAULT_DOMAIN,
        "parent_id": DEFAULT_DOMAIN,
        "is_domain": false,
        "tags": [],
        "options": {},
        "links": self_link(address, "projects", &project.id.to_string()),
    })
}

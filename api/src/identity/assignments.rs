//! Who has which role in which project.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_database::AssignmentQuery;
use cuttle_model::identity::{AnyRole, Assignment, DEFAULT_DOMAIN, DEFAULT_DOMAIN_NAME, Role};
use cuttle_model::ids::{ProjectId, RoleId, UserId};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::identity::{envelope, projects, roles, users};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::path::PathIds;
use crate::web::query::{Pairs, boolean};

/// `PUT /v3/projects/{id}/users/{id}/roles/{id}`.
pub async fn assign(
    State(shared): State<Shared>,
    PathIds((project, user, role)): PathIds<(ProjectId, UserId, RoleId)>,
) -> Result<StatusCode, ApiError> {
    let role = known(&shared, project, user, role).await?;
    let done = shared.database.assign(user, project, &role).await?;
    shared.tokens().forget_user(user);
    // One of the three went since it was looked at.
    if done { Ok(StatusCode::NO_CONTENT) } else { Err(projects::missing(project)) }
}

/// `GET` and `HEAD` of the same: whether it is assigned.
pub async fn check(
    State(shared): State<Shared>,
    PathIds((project, user, role)): PathIds<(ProjectId, UserId, RoleId)>,
) -> Result<StatusCode, ApiError> {
    let assigned = shared.database.roles_in(user, project).await?;
    match assigned.iter().any(|assigned| assigned.id() == role) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(not_assigned(project, user, role)),
    }
}

/// `DELETE` of the same. The user's tokens for the project are void at once.
pub async fn unassign(
    State(shared): State<Shared>,
    PathIds((project, user, id)): PathIds<(ProjectId, UserId, RoleId)>,
) -> Result<StatusCode, ApiError> {
    let role = known(&shared, project, user, id).await?;
    let found = shared.database.unassign(user, project, &role).await?;
    shared.tokens().forget_user(user);
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(not_assigned(project, user, id)) }
}

/// `GET /v3/projects/{id}/users/{id}/roles`.
pub async fn of_user(
    State(shared): State<Shared>,
    address: Address,
    PathIds((project, user)): PathIds<(ProjectId, UserId)>,
) -> Result<Json<Value>, ApiError> {
    both(&shared, project, user).await?;
    let assigned = shared.database.roles_in(user, project).await?;
    let shown = assigned.iter().map(|role| roles::view(role, &address)).collect();
    Ok(Json(envelope(&address, &format!("/projects/{project}/users/{user}/roles"), "roles", shown)))
}

/// `GET /v3/role_assignments`: the filters are joined by and. With `effective`, implied roles are listed too.
pub async fn list(State(shared): State<Shared>, address: Address, query: Pairs) -> Result<Json<Value>, ApiError> {
    let names = flag(&query, "include_names");
    let effective = flag(&query, "effective");
    let role = query.last("role.id");
    let found = match database_query(&query) {
        Some(wanted) => shared.database.list_assignments(&wanted).await?,
        None => Vec::new(),
    };
    let mut shown = Vec::new();
    for assignment in &found {
        let implied = implied(&assignment.role);
        let listed = if effective { implied } else { vec![assignment.role.clone()] };
        for listed in listed.iter().filter(|listed| role.is_none_or(|id| id == listed.id().to_string())) {
            let entry = view(assignment, listed, names, &address);
            if !shown.contains(&entry) {
                shown.push(entry);
            }
        }
    }
    Ok(Json(envelope(&address, "/role_assignments", "role_assignments", shown)))
}

/// What the database shall look for; `None` where nothing can match: there are no groups, and no roles
/// outside of projects.
fn database_query(query: &Pairs) -> Option<AssignmentQuery> {
    let elsewhere = ["group.id", "scope.domain.id", "scope.system", "scope.OS-INHERIT:inherited_to"];
    if elsewhere.iter().any(|key| query.last(key).is_some_and(|value| !value.is_empty())) {
        return None;
    }
    let given = |key: &str| query.last(key).filter(|text| !text.is_empty());
    Some(AssignmentQuery {
        user: given("user.id").map(|text| text.parse().ok()).map_or(Some(None), |id| id.map(Some))?,
        project: given("scope.project.id").map(|text| text.parse().ok()).map_or(Some(None), |id| id.map(Some))?,
    })
}

/// Keystone's flags: there is true unless it is said to be false.
fn flag(query: &Pairs, key: &str) -> bool {
    query.last(key).is_some_and(|text| boolean(text).unwrap_or(true))
}

fn implied(role: &AnyRole) -> Vec<AnyRole> {
    match role {
        AnyRole::Known(role) => Role::implied(*role).into_iter().map(AnyRole::Known).collect(),
        custom => vec![custom.clone()],
    }
}

fn view(assignment: &Assignment, role: &AnyRole, names: bool, address: &Address) -> Value {
    let (project, user) = (assignment.project_id, assignment.user_id);
    let domain = json!({ "id": DEFAULT_DOMAIN, "name": DEFAULT_DOMAIN_NAME });
    let link = address.url(&format!("/identity/v3/projects/{project}/users/{user}/roles/{}", role.id()));
    let mut shown = json!({
        "role": { "id": role.id() },
        "user": { "id": user },
        "scope": { "project": { "id": project } },
        "links": { "assignment": link },
    });
    if names {
        shown["role"]["name"] = json!(role.name());
        shown["user"]["name"] = json!(assignment.user_name);
        shown["user"]["domain"] = domain.clone();
        shown["scope"]["project"]["name"] = json!(assignment.project_name);
        shown["scope"]["project"]["domain"] = domain;
    }
    shown
}

async fn both(shared: &Shared, project: ProjectId, user: UserId) -> Result<(), ApiError> {
    shared.database.get_project(project).await?.ok_or_else(|| projects::missing(project))?;
    shared.database.get_credentials(user).await?.ok_or_else(|| users::missing(user))?;
    Ok(())
}

/// The role, if all three exist.
async fn known(shared: &Shared, project: ProjectId, user: UserId, role: RoleId) -> Result<AnyRole, ApiError> {
    both(shared, project, user).await?;
    roles::get(shared, role).await
}

fn not_assigned(project: ProjectId, user: UserId, role: RoleId) -> ApiError {
    ApiError::NotFound(format!("Could not find role assignment with role: {role}, user or group: {user}, project: {project}."))
}

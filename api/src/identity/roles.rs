//! Roles: the four that the program knows, which are constants, and those that administrators made.

pub mod change;

use axum::Json;
use axum::extract::State;
use cuttle_model::identity::{AnyRole, Role};
use cuttle_model::ids::RoleId;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::identity::{envelope, self_link};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::path::PathId;
use crate::web::query::Pairs;

/// `GET /v3/roles`, by name.
pub async fn list(State(shared): State<Shared>, address: Address, query: Pairs) -> Result<Json<Value>, ApiError> {
    let name = query.last("name");
    // A role belongs to no domain.
    let none = query.last("domain_id").is_some_and(|id| !id.is_empty());
    let roles = all(&shared).await?;
    let shown = roles.iter().filter(|role| !none && name.is_none_or(|name| role.name() == name));
    Ok(Json(envelope(&address, "/roles", "roles", shown.map(|role| view(role, &address)).collect())))
}

/// `GET /v3/roles/{id}`.
pub async fn show(State(shared): State<Shared>, address: Address, PathId(id): PathId<RoleId>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "role": view(&get(&shared, id).await?, &address) })))
}

/// Every role.
pub async fn all(shared: &Shared) -> Result<Vec<AnyRole>, ApiError> {
    let custom = shared.database.list_roles().await?.into_iter().map(AnyRole::Custom);
    Ok(Role::ALL.into_iter().map(AnyRole::Known).chain(custom).collect())
}

/// The role of that id.
pub async fn get(shared: &Shared, id: RoleId) -> Result<AnyRole, ApiError> {
    let known = Role::ALL.into_iter().find(|role| role.id() == id).map(AnyRole::Known);
    match known {
        Some(role) => Ok(role),
        None => all(shared).await?.into_iter().find(|role| role.id() == id).ok_or_else(|| missing(id)),
    }
}

pub fn missing(id: RoleId) -> ApiError {
    ApiError::NotFound(format!("Could not find role: {id}."))
}

pub fn view(role: &AnyRole, address: &Address) -> Value {
    let description = match role {
        AnyRole::Known(_) => None,
        AnyRole::Custom(role) => role.description.as_deref(),
    };
    json!({
        "id": role.id(),
        "name": role.name(),
        "domain_id": null,
        "description": description,
        "options": {},
        "links": self_link(address, "roles", &role.id().to_string()),
    })
}

//! The four roles, which are constants of the program.

use axum::Json;
use cuttle_model::identity::Role;
use cuttle_model::ids::RoleId;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::identity::{envelope, self_link};
use crate::web::address::Address;
use crate::web::path::PathId;
use crate::web::query::Pairs;

/// `GET /v3/roles`, by name.
pub async fn list(address: Address, query: Pairs) -> Json<Value> {
    let name = query.last("name");
    let shown = Role::ALL.into_iter().filter(|role| name.is_none_or(|name| role.as_str() == name));
    Json(envelope(&address, "/roles", "roles", shown.map(|role| view(role, &address)).collect()))
}

/// `GET /v3/roles/{id}`.
pub async fn show(address: Address, PathId(id): PathId<RoleId>) -> Result<Json<Value>, ApiError> {
    let role = Role::ALL.into_iter().find(|role| role.id() == id);
    let role = role.ok_or_else(|| ApiError::NotFound(format!("Could not find role: {id}.")))?;
    Ok(Json(json!({ "role": view(role, &address) })))
}

fn view(role: Role, address: &Address) -> Value {
    json!({
        "id": role.id(),
        "name": role.as_str(),
        "domain_id": null,
        "description": null,
        "options": {},
        "links": self_link(address, "roles", &role.id().to_string()),
    })
}

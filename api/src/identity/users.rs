//! Users.

pub mod change;
pub mod password;

use axum::Json;
use axum::extract::State;
use cuttle_model::identity::{DEFAULT_DOMAIN, User};
use cuttle_model::ids::UserId;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::identity::{envelope, self_link};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::caller::Caller;
use crate::web::path::PathId;
use crate::web::query::{Pairs, boolean};

/// `GET /v3/users`, by name, enabled and domain.
pub async fn list(State(shared): State<Shared>, address: Address, query: Pairs) -> Result<Json<Value>, ApiError> {
    let users = shared.database.list_users().await?;
    let (name, enabled) = (query.last("name"), query.last("enabled").and_then(boolean));
    let in_domain = query.last("domain_id").is_none_or(|id| id == DEFAULT_DOMAIN);
    let wanted = |user: &&User| {
        in_domain && name.is_none_or(|name| user.name == name) && enabled.is_none_or(|enabled| user.enabled == enabled)
    };
    let shown = users.iter().filter(wanted).map(|user| view(user, &address)).collect();
    Ok(Json(envelope(&address, "/users", "users", shown)))
}

/// `GET /v3/users/{id}`: the caller, or anybody for an administrator.
pub async fn show(
    State(shared): State<Shared>,
    caller: Caller,
    address: Address,
    PathId(id): PathId<UserId>,
) -> Result<Json<Value>, ApiError> {
    let may = caller.grant.user.id == id || caller.is_admin();
    let found = shared.database.get_credentials(id).await?.filter(|_| may);
    let found = found.ok_or_else(|| missing(id))?;
    Ok(Json(json!({ "user": view(&found.user, &address) })))
}

pub fn missing(id: UserId) -> ApiError {
    ApiError::NotFound(format!("Could not find user: {id}."))
}

pub fn view(user: &User, address: &Address) -> Value {
    let mut shown = json!({
        "id": user.id,
        "name": user.name,
        "enabled": user.enabled,
        "domain_id": DEFAULT_DOMAIN,
        "password_expires_at": null,
        "options": {},
        "links": self_link(address, "users", &user.id.to_string()),
    });
    for (key, text) in [("description", &user.description), ("email", &user.email)] {
        if let Some(text) = text {
            shown[key] = json!(text);
        }
    }
    if let Some(project) = user.default_project_id {
        shown["default_project_id"] = json!(project);
    }
    shown
}

//! Roles of administrators' own making. The program's four roles are constants: they are neither renamed
//! nor removed.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_database::{Inserted, Updated};
use cuttle_model::identity::{AnyRole, CustomRole, Role};
use cuttle_model::ids::RoleId;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::identity::{roles, schema};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::body::JsonBody;
use crate::web::path::PathId;

/// `POST /v3/roles`.
pub async fn create(
    State(shared): State<Shared>,
    address: Address,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    schema::CREATE_ROLE.check_plain(&body)?;
    let fields = &body["role"];
    let role = CustomRole {
        id: RoleId::new(shared.ids.as_ref()),
        name: fields["name"].as_str().unwrap_or_default().to_owned(),
        description: fields["description"].as_str().map(str::to_owned),
    };
    refuse_known_name(&role.name)?;
    match shared.database.insert_role(&role).await? {
        Inserted::Inserted => Ok((StatusCode::CREATED, Json(json!({ "role": roles::view(&AnyRole::Custom(role), &address) })))),
        Inserted::SameId | Inserted::SameName => Err(duplicate(&role.name)),
    }
}

/// `PATCH /v3/roles/{id}`.
pub async fn update(
    State(shared): State<Shared>,
    address: Address,
    PathId(id): PathId<RoleId>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    schema::UPDATE_ROLE.check_plain(&body)?;
    let fields = &body["role"];
    let mut role = custom(&shared, id).await?;
    if let Some(name) = fields["name"].as_str() {
        refuse_known_name(name)?;
        role.name = name.to_owned();
    }
    if let Some(description) = fields.get("description") {
        role.description = description.as_str().map(str::to_owned);
    }
    match shared.database.update_role(&role).await? {
        Updated::Done(role) => Ok(Json(json!({ "role": roles::view(&AnyRole::Custom(role), &address) }))),
        Updated::Missing => Err(roles::missing(id)),
        Updated::SameName => Err(duplicate(&role.name)),
    }
}

/// `DELETE /v3/roles/{id}`, with what assigns it.
pub async fn delete(State(shared): State<Shared>, PathId(id): PathId<RoleId>) -> Result<StatusCode, ApiError> {
    custom(&shared, id).await?;
    let found = shared.database.delete_role(id).await?;
    shared.tokens().forget_all();
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(roles::missing(id)) }
}

/// The role, if it is one that can be changed.
async fn custom(shared: &Shared, id: RoleId) -> Result<CustomRole, ApiError> {
    match roles::get(shared, id).await? {
        AnyRole::Custom(role) => Ok(role),
        AnyRole::Known(role) => Err(ApiError::Forbidden(format!("The role {} is built in.", role.as_str()))),
    }
}

fn refuse_known_name(name: &str) -> Result<(), ApiError> {
    if Role::from_word(name).is_some() { Err(duplicate(name)) } else { Ok(()) }
}

fn duplicate(name: &str) -> ApiError {
    ApiError::Conflict(format!("Conflict occurred attempting to store role - Duplicate entry found with name {name}."))
}

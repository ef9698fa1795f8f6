//! Users are made, changed and removed by administrators.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_database::{Inserted, Updated, UserChange};
use cuttle_model::identity::User;
use cuttle_model::ids::{ProjectId, UserId};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::identity::{schema, users};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::body::JsonBody;
use crate::web::path::PathId;

/// `POST /v3/users`. A user without a password cannot sign in with one.
pub async fn create(
    State(shared): State<Shared>,
    address: Address,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    schema::CREATE_USER.check_plain(&body)?;
    let fields = &body["user"];
    let hash = match password(fields) {
        Some(password) => shared.passwords.hash(password).await?,
        None => String::new(),
    };
    let user = User {
        id: UserId::new(shared.ids.as_ref()),
        name: fields["name"].as_str().unwrap_or_default().to_owned(),
        enabled: fields["enabled"].as_bool().unwrap_or(true),
        default_project_id: default_project(fields)?.flatten(),
        description: text(fields, "description").flatten(),
        email: text(fields, "email").flatten(),
    };
    match shared.database.insert_user(&user, &hash).await? {
        Inserted::Inserted => Ok((StatusCode::CREATED, Json(json!({ "user": users::view(&user, &address) })))),
        Inserted::SameId | Inserted::SameName => Err(duplicate(&user.name)),
    }
}

/// `PATCH /v3/users/{id}`. A new password, and being disabled, void the user's tokens.
pub async fn update(
    State(shared): State<Shared>,
    address: Address,
    PathId(id): PathId<UserId>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    schema::UPDATE_USER.check_plain(&body)?;
    let fields = &body["user"];
    let password_hash = match password(fields) {
        Some(password) => Some(shared.passwords.hash(password).await?),
        None => None,
    };
    let change = UserChange {
        name: fields["name"].as_str().map(str::to_owned),
        enabled: fields["enabled"].as_bool(),
        default_project_id: default_project(fields)?,
        description: text(fields, "description"),
        email: text(fields, "email"),
        password_hash,
    };
    let updated = shared.database.update_user(id, &change).await?;
    shared.tokens().forget_user(id);
    match updated {
        Updated::Done(user) => Ok(Json(json!({ "user": users::view(&user, &address) }))),
        Updated::Missing => Err(users::missing(id)),
        Updated::SameName => Err(duplicate(change.name.as_deref().unwrap_or_default())),
    }
}

/// `DELETE /v3/users/{id}`. What the user has made stays with its project.
pub async fn delete(State(shared): State<Shared>, PathId(id): PathId<UserId>) -> Result<StatusCode, ApiError> {
    let found = shared.database.delete_user(id).await?;
    shared.tokens().forget_user(id);
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(users::missing(id)) }
}

fn password(fields: &Value) -> Option<SecretString> {
    fields["password"].as_str().map(SecretString::from)
}

/// `None`: not given. `Some(None)`: to be nothing.
fn text(fields: &Value, name: &str) -> Option<Option<String>> {
    fields.get(name).map(|value| value.as_str().map(str::to_owned))
}

fn default_project(fields: &Value) -> Result<Option<Option<ProjectId>>, ApiError> {
    let Some(text) = text(fields, "default_project_id") else { return Ok(None) };
    let wrong = |text: &String| ApiError::invalid("default_project_id", text, "The id of a project is expected.");
    text.map(|text| text.parse().map_err(|_| wrong(&text))).transpose().map(Some)
}

fn duplicate(name: &str) -> ApiError {
    ApiError::Conflict(format!("Conflict occurred attempting to store user - Duplicate entry found with name {name}."))
}

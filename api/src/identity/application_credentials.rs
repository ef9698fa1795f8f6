//! Application credentials: secrets with which programs act as a user in one project.
//!
//! A user makes and removes their own. An administrator sees everybody's and may remove them, but makes
//! none for others. A token made with one that may not delegate changes none of them.

pub mod create;
pub mod secret;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_model::identity::ApplicationCredential;
use cuttle_model::ids::{ApplicationCredentialId, UserId};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::identity::{envelope, users};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::caller::Caller;
use crate::web::path::{PathId, PathIds};
use crate::web::query::Pairs;

/// `GET /v3/users/{id}/application_credentials`, by name.
pub async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    address: Address,
    PathId(user): PathId<UserId>,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    may_look(&caller, user)?;
    let name = query.last("name");
    let credentials = shared.database.list_application_credentials(user).await?;
    let wanted = credentials.iter().filter(|credential| name.is_none_or(|name| credential.name == name));
    let shown = wanted.map(|credential| view(credential, &address)).collect();
    Ok(Json(envelope(&address, &format!("/users/{user}/application_credentials"), "application_credentials", shown)))
}

/// `GET /v3/users/{id}/application_credentials/{id}`.
pub async fn show(
    State(shared): State<Shared>,
    caller: Caller,
    address: Address,
    PathIds((user, id)): PathIds<(UserId, ApplicationCredentialId)>,
) -> Result<Json<Value>, ApiError> {
    may_look(&caller, user)?;
    let credential = get(&shared, user, id).await?;
    Ok(Json(json!({ "application_credential": view(&credential, &address) })))
}

/// `DELETE` of the same: its tokens are void at once.
pub async fn delete(
    State(shared): State<Shared>,
    caller: Caller,
    PathIds((user, id)): PathIds<(UserId, ApplicationCredentialId)>,
) -> Result<StatusCode, ApiError> {
    may_look(&caller, user)?;
    may_delegate(&caller)?;
    get(&shared, user, id).await?;
    shared.database.delete_application_credential(id).await?;
    shared.tokens().forget_user(user);
    Ok(StatusCode::NO_CONTENT)
}

async fn get(shared: &Shared, user: UserId, id: ApplicationCredentialId) -> Result<ApplicationCredential, ApiError> {
    let found = shared.database.get_application_credential(id).await?.map(|(credential, _)| credential);
    let found = found.filter(|credential| credential.user_id == user);
    found.ok_or_else(|| ApiError::NotFound(format!("Could not find Application Credential: {id}.")))
}

fn may_look(caller: &Caller, user: UserId) -> Result<(), ApiError> {
    if caller.grant.user.id == user || caller.is_admin() { Ok(()) } else { Err(users::missing(user)) }
}

fn may_delegate(caller: &Caller) -> Result<(), ApiError> {
    match &caller.grant.application_credential {
        Some(credential) if !credential.may_delegate => Err(ApiError::Forbidden(
            "A token made with a restricted application credential does not change application credentials.".into(),
        )),
        _ => Ok(()),
    }
}

fn view(credential: &ApplicationCredential, address: &Address) -> Value {
    let (user, id) = (credential.user_id, credential.id);
    let roles: Vec<Value> =
        credential.roles.iter().map(|role| json!({ "id": role.id(), "name": role.name(), "domain_id": null })).collect();
    json!({
        "id": id,
        "name": credential.name,
        "description": credential.description,
        "user_id": user,
        "project_id": credential.project_id,
        "roles": roles,
        "expires_at": credential.expires_at.map(|time| time.to_micros_naive()),
        "unrestricted": credential.may_delegate,
        "system": null,
        "links": { "self": address.url(&format!("/identity/v3/users/{user}/application_credentials/{id}")) },
    })
}

//! `POST /v3/users/{id}/application_credentials`: the answer is the only one that holds the secret.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_database::CredentialInserted;
use cuttle_model::clock::Timestamp;
use cuttle_model::identity::{AnyRole, ApplicationCredential};
use cuttle_model::ids::{ApplicationCredentialId, ProjectId, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::identity::application_credentials::{may_delegate, secret, view};
use crate::identity::{schema, users};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;
use crate::web::path::PathId;
use crate::web::validation::shown;

pub async fn handle(
    State(shared): State<Shared>,
    caller: Caller,
    address: Address,
    PathId(user): PathId<UserId>,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    schema::CREATE_APPLICATION_CREDENTIAL.check_plain(&body)?;
    if caller.grant.user.id != user {
        return Err(users::missing(user));
    }
    may_delegate(&caller)?;
    let fields = &body["application_credential"];
    let credential = ApplicationCredential {
        id: ApplicationCredentialId::new(shared.ids.as_ref()),
        user_id: user,
        project_id: project(&caller, fields)?,
        name: fields["name"].as_str().unwrap_or_default().to_owned(),
        description: fields["description"].as_str().map(str::to_owned),
        roles: roles(&caller, fields)?,
        expires_at: expiry(fields, shared.now())?,
        may_delegate: fields["unrestricted"].as_bool().unwrap_or(false),
        created_at: shared.now(),
    };
    let (given, hash) = match fields["secret"].as_str() {
        Some(text) => {
            let chosen = SecretString::from(text);
            (chosen.clone(), shared.passwords.hash(chosen).await?)
        }
        None => {
            let made = secret::random();
            let hash = secret::fast_hash(&made);
            (made, hash)
        }
    };
    match shared.database.insert_application_credential(&credential, &hash).await? {
        CredentialInserted::Inserted => {}
        CredentialInserted::SameName => {
            let text = format!(
                "Conflict occurred attempting to store application_credential - Duplicate entry found with name {}.",
                credential.name
            );
            return Err(ApiError::Conflict(text));
        }
        CredentialInserted::NoOwner => return Err(users::missing(user)),
    }
    let mut answer = view(&credential, &address);
    answer["secret"] = json!(given.expose_secret());
    Ok((StatusCode::CREATED, Json(json!({ "application_credential": answer }))))
}

/// The token's own project; another one may not be named.
fn project(caller: &Caller, fields: &Value) -> Result<ProjectId, ApiError> {
    let project = caller.project_id()?;
    match fields["project_id"].as_str() {
        Some(text) if text.parse() != Ok(project) => {
            Err(ApiError::invalid("project_id", shown(&fields["project_id"]), "It must be the token's project."))
        }
        _ => Ok(project),
    }
}

/// Those that are asked for, which the token must have; without any, all of them.
fn roles(caller: &Caller, fields: &Value) -> Result<Vec<AnyRole>, ApiError> {
    let mut held: Vec<AnyRole> = caller.grant.role.into_iter().flat_map(|role| role.implied()).map(AnyRole::Known).collect();
    held.extend(caller.grant.custom_roles.iter().cloned().map(AnyRole::Custom));
    let asked = fields["roles"].as_array().filter(|roles| !roles.is_empty());
    let Some(asked) = asked else { return Ok(held) };
    let find = |wanted: &Value| {
        let found = held.iter().find(|role| match (wanted["id"].as_str(), wanted["name"].as_str()) {
            (Some(id), _) => role.id().to_string() == id,
            (None, Some(name)) => role.name() == name,
            (None, None) => false,
        });
        found.cloned().ok_or_else(|| ApiError::invalid("roles", shown(wanted), "The token does not have this role."))
    };
    asked.iter().map(find).collect()
}

fn expiry(fields: &Value, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = fields["expires_at"].as_str() else { return Ok(None) };
    let wrong = |why| ApiError::invalid("expires_at", shown(&fields["expires_at"]), why);
    let time = Timestamp::parse_iso(text).ok_or_else(|| wrong("A time as in 2030-01-02T03:04:05 is expected."))?;
    if time > now { Ok(Some(time)) } else { Err(wrong("It is over already.")) }
}

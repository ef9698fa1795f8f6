//! `POST /v3/auth/tokens`: a password, or another token, for a token.
//!
//! Every refusal is the same 401: it does not tell an unknown user from a wrong password or a missing role.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cuttle_model::clock::Timestamp;
use cuttle_model::identity::{Project, Role, TokenGrant, User};
use secrecy::{ExposeSecret, SecretString};

use crate::error::ApiError;
use crate::identity::tokens::request::{Proof, Request, Scope, UserName};
use crate::identity::tokens::{SUBJECT_TOKEN, view};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::body::JsonBody;
use crate::web::caller::token_sha256;
use crate::web::query::Pairs;

pub async fn handle(
    State(shared): State<Shared>,
    address: Address,
    query: Pairs,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let request = Request::read(&body)?;
    let known = identify(&shared, request.proof).await?;
    let scope = resolve(&shared, &known.user, request.scope).await?;
    let token = SecretString::from(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    let grant = grant(known, scope, shared.now());
    shared.database.insert_token(&token_sha256(token.expose_secret()), &grant).await?;
    let shown = view::token(&shared, &grant, &address, query.last("nocatalog").is_none());
    let mut response = (StatusCode::CREATED, Json(shown)).into_response();
    let mut value = HeaderValue::from_str(token.expose_secret()).map_err(|error| ApiError::Internal(Box::new(error)))?;
    value.set_sensitive(true);
    response.headers_mut().insert(SUBJECT_TOKEN, value);
    Ok(response)
}

/// Somebody who has shown who they are.
struct Known {
    user: User,
    expires_at: Timestamp,
}

async fn identify(shared: &Shared, proof: Proof) -> Result<Known, ApiError> {
    match proof {
        Proof::Password { user, password } => {
            let found = match user {
                UserName::Id(id) => shared.database.get_credentials(id).await?,
                UserName::Name(name) => shared.database.find_credentials(&name).await?,
                UserName::Nobody => None,
            };
            let hash = found.as_ref().map(|credentials| credentials.password_hash.clone());
            let is_right = shared.passwords.verify(password, hash).await?;
            let user = found.map(|credentials| credentials.user).filter(|user| is_right && user.enabled);
            let user = user.ok_or(ApiError::Unauthorized)?;
            Ok(Known { user, expires_at: shared.now().plus(shared.token_lifetime) })
        }
        // A token for a token ends when the first one does.
        Proof::Token(token) => {
            let grant = shared.database.get_token(&token_sha256(token.expose_secret()), shared.now()).await?;
            let grant = grant.ok_or(ApiError::Unauthorized)?;
            Ok(Known { user: grant.user, expires_at: grant.expires_at })
        }
    }
}

/// The project that is meant and the user's role in it; `None` for an unscoped token.
async fn resolve(shared: &Shared, user: &User, scope: Scope) -> Result<Option<(Project, Role)>, ApiError> {
    let database = &shared.database;
    let (project, is_optional) = match scope {
        Scope::Unscoped => return Ok(None),
        Scope::Nothing => return Err(ApiError::Unauthorized),
        Scope::ProjectId(id) => (database.get_project(id).await?, false),
        Scope::ProjectName(name) => (database.find_project(&name).await?, false),
        Scope::Default => match user.default_project_id {
            Some(id) => (database.get_project(id).await?, true),
            None => return Ok(None),
        },
    };
    let scoped = match project.filter(|project| project.enabled) {
        Some(project) => database.role_in(user.id, project.id).await?.map(|role| (project, role)),
        None => None,
    };
    if scoped.is_none() && !is_optional { Err(ApiError::Unauthorized) } else { Ok(scoped) }
}

fn grant(known: Known, scope: Option<(Project, Role)>, now: Timestamp) -> TokenGrant {
    let (project, role) = scope.unzip();
    TokenGrant {
        user: known.user,
        project,
        role,
        audit_id: URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()),
        issued_at: now,
        expires_at: known.expires_at,
    }
}

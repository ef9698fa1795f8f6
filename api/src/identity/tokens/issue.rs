//! `POST /v3/auth/tokens`: a password, an application credential or another token, for a token.
//!
//! Every refusal is the same 401: it does not tell an unknown user from a wrong password or a missing role.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cuttle_model::identity::{TokenGrant, powers};
use secrecy::{ExposeSecret, SecretString};

use crate::error::ApiError;
use crate::identity::tokens::proof::{Known, identify};
use crate::identity::tokens::request::{Request, Scope};
use crate::identity::tokens::{SUBJECT_TOKEN, view};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::body::JsonBody;
use crate::web::caller::token_sha256;
use crate::web::peer::Peer;
use crate::web::query::Pairs;

pub async fn handle(
    State(shared): State<Shared>,
    address: Address,
    peer: Peer,
    query: Pairs,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let request = Request::read(&body)?;
    let known = identify(&shared, peer, request.proof).await;
    metrics::counter!("cuttle_sign_ins_total", "result" => if known.is_ok() { "known" } else { "refused" }).increment(1);
    let known = known?;
    let grant = grant(&shared, known, request.scope).await?;
    let token = SecretString::from(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    if !shared.database.insert_token(&token_sha256(token.expose_secret()), &grant).await? {
        return Err(ApiError::Unauthorized);
    }
    let shown = view::token(&shared, &grant, &address, query.last("nocatalog").is_none());
    let mut response = (StatusCode::CREATED, Json(shown)).into_response();
    let mut value = HeaderValue::from_str(token.expose_secret()).map_err(|error| ApiError::Internal(Box::new(error)))?;
    value.set_sensitive(true);
    response.headers_mut().insert(SUBJECT_TOKEN, value);
    Ok(response)
}

/// What somebody who is known gets for the scope that is meant.
async fn grant(shared: &Shared, known: Known, scope: Scope) -> Result<TokenGrant, ApiError> {
    let mut grant = TokenGrant {
        user: known.user,
        project: None,
        role: None,
        custom_roles: Vec::new(),
        methods: known.methods,
        application_credential: None,
        audit_id: URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()),
        issued_at: shared.now(),
        expires_at: known.expires_at,
    };
    let database = &shared.database;
    let (project, is_optional) = match (&known.credential, scope) {
        // An application credential is for one project.
        (Some(credential), Scope::Default) => (database.get_project(credential.project_id).await?, false),
        (Some(credential), Scope::ProjectId(id)) if credential.project_id == id => (database.get_project(id).await?, false),
        (Some(_), _) | (None, Scope::Nothing) => return Err(ApiError::Unauthorized),
        (None, Scope::Unscoped) => return Ok(grant),
        (None, Scope::ProjectId(id)) => (database.get_project(id).await?, false),
        (None, Scope::ProjectName(name)) => (database.find_project(&name).await?, false),
        (None, Scope::Default) => match grant.user.default_project_id {
            Some(id) => (database.get_project(id).await?, true),
            None => return Ok(grant),
        },
    };
    let project = project.filter(|project| project.enabled);
    let assigned = match &project {
        Some(project) => database.roles_in(grant.user.id, project.id).await?,
        None => Vec::new(),
    };
    if assigned.is_empty() {
        return if is_optional { Ok(grant) } else { Err(ApiError::Unauthorized) };
    }
    (grant.role, grant.custom_roles) = powers(assigned);
    grant.project = project;
    if let Some(credential) = known.credential {
        let (most, custom) = powers(credential.roles.iter().cloned());
        grant.role = grant.role.min(most);
        grant.custom_roles.retain(|role| custom.iter().any(|held| held.id == role.id));
        grant.application_credential = Some(credential.in_token());
    }
    Ok(grant)
}

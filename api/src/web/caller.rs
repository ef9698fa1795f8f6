//! Who asks: the token of a request, what it grants, and whether that is enough for a route.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cuttle_model::identity::{Role, TokenGrant};
use cuttle_model::ids::{ProjectId, RequestId};
use cuttle_operations::Requester;
use sha2::{Digest, Sha256};

use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::path::ProjectInPath;
use crate::web::routes::{Access, Guard};

/// The header with the caller's token.
pub const AUTH_TOKEN: &str = "x-auth-token";

/// A caller whose token is valid.
#[derive(Debug, Clone)]
pub struct Caller {
    pub grant: Arc<TokenGrant>,
    request_id: RequestId,
}

impl Caller {
    /// May see and change everything.
    pub fn is_admin(&self) -> bool {
        self.grant.role == Some(Role::Admin)
    }

    /// The token's project.
    pub fn project_id(&self) -> Result<ProjectId, ApiError> {
        self.grant.project.as_ref().map(|project| project.id).ok_or_else(unscoped)
    }

    /// The project's things, or everybody's for an administrator.
    pub fn may_see(&self, owner: ProjectId) -> bool {
        self.is_admin() || self.grant.project.as_ref().is_some_and(|project| project.id == owner)
    }

    /// As a handler is given it, in tests that call one.
    #[cfg(test)]
    pub fn for_test(grant: TokenGrant) -> Self {
        Self { grant: Arc::new(grant), request_id: RequestId::new(&cuttle_model::ids::RandomIds) }
    }

    /// Who asks, for operations.
    pub fn requester(&self) -> Result<Requester, ApiError> {
        Ok(Requester { project_id: self.project_id()?, user_id: self.grant.user.id, request_id: self.request_id.clone() })
    }
}

/// What is stored of a token.
pub fn token_sha256(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The token in a header, if there is one.
pub fn token_in<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|token| !token.is_empty() && token.len() <= 255)
}

/// The layer on each route: finds out who asks, and refuses those who may not.
pub async fn authorize(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let template = guard.template.clone();
    let mut response = admit(&guard.shared, guard.access, request, next).await;
    response.extensions_mut().insert(template);
    response
}

async fn admit(shared: &Shared, access: Access, mut request: Request, next: Next) -> Response {
    if access == Access::Public {
        return next.run(request).await;
    }
    let Some(hash) = token_in(request.headers(), AUTH_TOKEN).map(token_sha256) else {
        return ApiError::Unauthorized.into_response();
    };
    let grant = match shared.tokens().get(&shared.database, &hash, shared.now()).await {
        Ok(Some(grant)) => grant,
        Ok(None) => return ApiError::Unauthorized.into_response(),
        Err(error) => return ApiError::from(error).into_response(),
    };
    let path_project = request.extensions().get::<ProjectInPath>().cloned();
    if let Err(refusal) = permit(&grant, access, path_project) {
        return refusal.into_response();
    }
    let request_id = request.extensions().get::<RequestId>().cloned().unwrap_or_else(|| RequestId::new(shared.ids.as_ref()));
    request.extensions_mut().insert(Caller { grant, request_id });
    next.run(request).await
}

/// May the holder of `grant` use a route with this access?
fn permit(grant: &TokenGrant, access: Access, in_path: Option<ProjectInPath>) -> Result<(), ApiError> {
    let least = match access {
        Access::Public | Access::Token => return Ok(()),
        Access::Reader => Role::Reader,
        Access::Member => Role::Member,
        Access::Manager => Role::Manager,
        Access::Admin => Role::Admin,
    };
    let Some(project) = &grant.project else { return Err(unscoped()) };
    if let Some(ProjectInPath(text)) = in_path
        && text.parse() != Ok(project.id)
    {
        return Err(ApiError::BadRequest(format!("Malformed request URL: URL's project_id '{text}' doesn't match the token's.")));
    }
    match grant.role {
        Some(role) if role >= least => Ok(()),
        _ => {
            Err(ApiError::Forbidden(format!("Policy doesn't allow this to be performed: the role {} is needed.", least.as_str())))
        }
    }
}

fn unscoped() -> ApiError {
    ApiError::Forbidden("A token that is scoped to a project is needed.".into())
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Caller>().cloned().ok_or(ApiError::Unauthorized)
    }
}

//! Which host a request comes from.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cuttle_model::host::Host;

use crate::error::ApiError;
use crate::shared::Controlled;
use crate::web::caller::{token_in, token_sha256};

/// The host whose token came with the request.
#[derive(Debug, Clone)]
pub struct FromHost(pub Host);

/// Looks the token up by its SHA-256: so the time that it takes says nothing of the token.
pub async fn authenticate(State(state): State<Controlled>, mut request: Request, next: Next) -> Response {
    let header = token_in(request.headers(), AUTHORIZATION.as_str());
    let Some(token) = header.and_then(|value| value.strip_prefix("Bearer ")) else {
        return ApiError::Unauthorized.into_response();
    };
    match state.shared.database.authenticate_host(&token_sha256(token)).await {
        Ok(Some(host)) => {
            request.extensions_mut().insert(FromHost(host));
            next.run(request).await
        }
        Ok(None) => ApiError::Unauthorized.into_response(),
        Err(error) => ApiError::from(error).into_response(),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for FromHost {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<FromHost>().cloned().ok_or(ApiError::Unauthorized)
    }
}

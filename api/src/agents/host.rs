//! Which host a request comes from.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cuttle_model::host::Host;

use crate::agents::peer::Peer;
use crate::error::ApiError;
use crate::shared::Shared;

/// The host whose certificate was shown on the request's connection.
#[derive(Debug, Clone)]
pub struct FromHost {
    pub host: Host,
    /// SHA-256 of that certificate.
    pub certificate_sha256: [u8; 32],
}

/// TLS has proven that the other side has the certificate's key; whether the certificate is still
/// honoured is asked of the database each time, so that a host that was removed is out at once.
pub async fn authenticate(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let shown = request.extensions().get::<Peer>().and_then(|peer| peer.certificate_sha256);
    let Some(certificate_sha256) = shown else {
        return refuse("No certificate was shown: this host has not joined.");
    };
    match shared.database.authenticate_host(&certificate_sha256, shared.now()).await {
        Ok(Some(host)) => {
            request.extensions_mut().insert(FromHost { host, certificate_sha256 });
            next.run(request).await
        }
        Ok(None) => {
            refuse("The certificate is not honoured: the host was removed, has joined anew, or the certificate has expired.")
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}

fn refuse(why: &str) -> Response {
    ApiError::Forbidden(why.to_owned()).into_response()
}

impl<S: Send + Sync> FromRequestParts<S> for FromHost {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<FromHost>().cloned().ok_or(ApiError::Unauthorized)
    }
}

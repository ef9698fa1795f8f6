//! `DELETE /v3/auth/tokens`: a token is void from now on.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use crate::error::ApiError;
use crate::identity::tokens::subject;
use crate::shared::Shared;
use crate::web::caller::Caller;

pub async fn handle(State(shared): State<Shared>, caller: Caller, headers: HeaderMap) -> Result<StatusCode, ApiError> {
    let (hash, grant) = subject(&shared, &caller, &headers).await?;
    shared.database.delete_token(&hash).await?;
    shared.tokens().forget_user(grant.user.id);
    Ok(StatusCode::NO_CONTENT)
}

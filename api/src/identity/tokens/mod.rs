//! Tokens: random text of which only the SHA-256 is stored, with what it grants.

pub mod cache;
pub mod issue;
pub mod proof;
pub mod request;
pub mod revoke;
pub mod show;
pub mod view;

use std::sync::Arc;

use axum::http::HeaderMap;
use cuttle_model::identity::TokenGrant;

use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::caller::{Caller, token_in, token_sha256};

/// The header with the token that a request is about.
pub const SUBJECT_TOKEN: &str = "x-subject-token";

/// The token that a request is about, if it is the caller's own or the caller may look at all.
async fn subject(shared: &Shared, caller: &Caller, headers: &HeaderMap) -> Result<([u8; 32], Arc<TokenGrant>), ApiError> {
    let missing = || ApiError::NotFound("This is not a recognized token.".into());
    let hash = token_in(headers, SUBJECT_TOKEN).map(token_sha256).ok_or_else(missing)?;
    let grant = shared.tokens().get(&shared.database, &hash, shared.now()).await?.ok_or_else(missing)?;
    match caller.is_admin() || caller.grant.user.id == grant.user.id {
        true => Ok((hash, grant)),
        false => Err(missing()),
    }
}

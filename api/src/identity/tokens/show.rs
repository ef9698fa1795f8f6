//! `GET /v3/auth/tokens` (and `HEAD`): what a token grants.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::identity::tokens::{SUBJECT_TOKEN, subject, view};
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::caller::Caller;
use crate::web::query::Pairs;

pub async fn handle(
    State(shared): State<Shared>,
    caller: Caller,
    address: Address,
    query: Pairs,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (_, grant) = subject(&shared, &caller, &headers).await?;
    let shown = view::token(&shared, &grant, &address, query.last("nocatalog").is_none());
    let mut response = Json(shown).into_response();
    if let Some(value) = headers.get(SUBJECT_TOKEN) {
        let mut value: HeaderValue = value.clone();
        value.set_sensitive(true);
        response.headers_mut().insert(SUBJECT_TOKEN, value);
    }
    Ok(response)
}

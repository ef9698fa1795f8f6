//! `GET /operations/{id}/watch` and `GET /operations/watch`: operations as they go on, as lines of JSON.
//!
//! Each line is `{"operation": …}` as it is now, with all its steps, so that a client which has lost the
//! connection asks again and has missed nothing. Empty lines show that the connection lives.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use cuttle_model::ids::OperationId;

use crate::error::ApiError;
use crate::operator::operations::show;
use crate::operator::operations::stream::{Watched, lines};
use crate::shared::Shared;
use crate::web::path::PathId;
use crate::web::query::Pairs;

/// One operation, until it has ended.
pub async fn one(State(shared): State<Shared>, PathId(id): PathId<OperationId>) -> Result<Response, ApiError> {
    show::find(&shared, id).await?.ok_or_else(|| show::missing(id))?;
    Ok(answer(shared, Watched::One(id)))
}

/// All operations: those that have not ended, then whatever changes, until the client has enough.
pub async fn all(State(shared): State<Shared>, query: Pairs) -> Result<Response, ApiError> {
    query.refuse_unknown(&[])?;
    Ok(answer(shared, Watched::All))
}

fn answer(shared: Shared, watched: Watched) -> Response {
    // Proxies are asked not to hold lines back.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    let headers = [(CONTENT_TYPE, "application/x-ndjson"), (CACHE_CONTROL, "no-store"), (unbuffered, "no")];
    (headers, Body::from_stream(lines(shared, watched))).into_response()
}

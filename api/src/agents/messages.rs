//! The agents' messages and their answers.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use cuttle_compute_protocol::{Beat, BeatAnswer, GuestState, Hello, Report, Welcome};
use cuttle_operations::hosts;
use serde_json::{Value, json};

use crate::agents::host::FromHost;
use crate::error::ApiError;
use crate::shared::Controlled;

/// A message, or why it cannot be read.
pub type Message<T> = Result<Json<T>, JsonRejection>;

/// An agent has connected.
pub async fn hello(
    State(state): State<Controlled>,
    FromHost { host, certificate_sha256 }: FromHost,
    message: Message<Hello>,
) -> Result<Json<Welcome>, ApiError> {
    let welcome = hosts::hello(&state.control, &host, read(message)?).await?;
    // It has the certificate that it shows, so it needs none that it had before.
    state.shared.database.keep_certificate(host.id, &certificate_sha256).await?;
    Ok(Json(welcome))
}

/// An agent lives.
pub async fn beat(
    State(state): State<Controlled>,
    FromHost { host, .. }: FromHost,
    message: Message<Beat>,
) -> Result<Json<BeatAnswer>, ApiError> {
    let say_hello = hosts::beat(&state.control, &host, &read(message)?).await?;
    let ceph = hosts::ceph_connection(&state.control).await?;
    let crush_location = hosts::crush_location(&state.control, &host);
    Ok(Json(BeatAnswer { ceph, say_hello, crush_location }))
}

/// What became of a command.
pub async fn report(
    State(state): State<Controlled>,
    FromHost { host, .. }: FromHost,
    message: Message<Report>,
) -> Result<Json<Value>, ApiError> {
    hosts::report(&state.control, &host, &read(message)?).await?;
    Ok(Json(json!({})))
}

/// Guests have changed by themselves.
pub async fn guests(
    State(state): State<Controlled>,
    FromHost { host, .. }: FromHost,
    message: Message<Vec<GuestState>>,
) -> Result<Json<Value>, ApiError> {
    hosts::guests_changed(&state.control, &host, read(message)?).await?;
    Ok(Json(json!({})))
}

pub fn read<T>(message: Message<T>) -> Result<T, ApiError> {
    message
        .map(|Json(message)| message)
        .map_err(|refusal| ApiError::BadRequest(format!("the message is not understood: {refusal}")))
}

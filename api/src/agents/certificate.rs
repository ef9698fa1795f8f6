//! `POST /agent/v1/certificate`: a host asks for its next certificate, for a new key, before the one
//! that it shows expires.

use axum::Json;
use axum::extract::State;
use cuttle_compute_protocol::{Joined, Renew};

use crate::agents::host::FromHost;
use crate::agents::messages::{Message, read};
use crate::error::ApiError;
use crate::shared::Shared;

pub async fn renew(
    State(shared): State<Shared>,
    FromHost { host, certificate_sha256 }: FromHost,
    message: Message<Renew>,
) -> Result<Json<Joined>, ApiError> {
    let signed = shared.authority.sign(&host, &read(message)?.request, shared.now(), shared.ids.as_ref())?;
    match shared.registry().renew(&host, &certificate_sha256, &signed.certificate).await? {
        true => Ok(Json(signed.joined)),
        false => Err(ApiError::Forbidden("The certificate that was shown is not honoured any more.".into())),
    }
}

//! `POST /agent/v1/join`: a host shows its token, once, and is given its certificate.

use axum::extract::State;
use axum::{Extension, Json};
use cuttle_compute_protocol::{Join, Joined};
use cuttle_database::Joining;

use crate::agents::messages::{Message, read};
use crate::agents::peer::Peer;
use crate::error::ApiError;
use crate::shared::Shared;

pub async fn handle(
    State(shared): State<Shared>,
    Extension(peer): Extension<Peer>,
    message: Message<Join>,
) -> Result<Json<Joined>, ApiError> {
    let join = read(message)?;
    let (registry, from) = (shared.registry(), peer.address.ip().to_string());
    let host = registry.look(join.protocol, &join.host, &join.secret, &from).await?;
    let signed = shared.authority.sign(&host, &join.request, shared.now(), shared.ids.as_ref())?;
    let joining = Joining { public_key_sha256: signed.public_key_sha256, from, certificate: signed.certificate };
    registry.settle(&host, &join.secret, &joining).await?;
    Ok(Json(signed.joined))
}

//! `DELETE /os-keypairs/{name}`. Instances keep their copy of the key.

use axum::extract::State;
use axum::http::StatusCode;

use crate::compute::keypairs::{Name, not_found, user};
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::caller::Caller;
use crate::web::path::PathId;
use crate::web::query::Pairs;

pub async fn handle(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    PathId(Name(name)): PathId<Name>,
    query: Pairs,
) -> Result<StatusCode, ApiError> {
    if version >= Microversion(75) {
        query.refuse_unknown(&["user_id"])?;
    }
    let user = user(&caller, version, &query, "delete")?.ok_or_else(|| not_found(&name, "named"))?;
    match shared.database.delete_keypair(user, &name).await? {
        false => Err(not_found(&name, &user.to_string())),
        true if version < Microversion(2) => Ok(StatusCode::ACCEPTED),
        true => Ok(StatusCode::NO_CONTENT),
    }
}

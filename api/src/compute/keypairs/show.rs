//! `GET /os-keypairs/{name}`.

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use crate::compute::keypairs::{Name, not_found, user, view};
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
) -> Result<Json<Value>, ApiError> {
    if version >= Microversion(75) {
        query.refuse_unknown(&["user_id"])?;
    }
    let user = user(&caller, version, &query, "show")?.ok_or_else(|| not_found(&name, "named"))?;
    let found = shared.database.get_keypair(user, &name).await?;
    let (number, keypair) = found.ok_or_else(|| not_found(&name, &user.to_string()))?;
    Ok(Json(view::detail(&keypair, number, version)))
}

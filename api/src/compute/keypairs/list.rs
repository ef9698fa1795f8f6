//! `GET /os-keypairs`: by name, in pages from 2.35 on.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value};

use crate::compute::keypairs::{user, view};
use crate::compute::links;
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::address::Address;
use crate::web::caller::Caller;
use crate::web::query::{MAX_LIMIT, Pairs};

pub async fn handle(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    address: Address,
    query: Pairs,
) -> Result<Json<Value>, ApiError> {
    if version >= Microversion(75) {
        query.refuse_unknown(&["user_id", "limit", "marker"])?;
    }
    let user = user(&caller, version, &query, "index")?;
    let is_paged = version >= Microversion(35);
    let (limit, marker) = match is_paged {
        true => (query.limit(MAX_LIMIT)?, query.one("marker")?),
        false => (MAX_LIMIT, None),
    };
    let mut found = match user {
        None => Vec::new(),
        Some(user) => {
            if let Some(marker) = marker
                && shared.database.get_keypair(user, marker).await?.is_none()
            {
                return Err(ApiError::BadRequest(format!("Marker {} could not be found.", links::shown(marker))));
            }
            shared.database.list_keypairs(user, marker, is_paged.then_some(limit + 1)).await?
        }
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = is_paged && found.len() > limit;
    if has_more {
        found.truncate(limit);
    }
    let mut body = Map::new();
    body.insert("keypairs".into(), found.iter().map(|keypair| view::brief(keypair, version)).collect());
    if let Some(last) = found.last().filter(|_| has_more) {
        body.insert("keypairs_links".into(), links::next(&address, "/os-keypairs", &query, &last.name));
    }
    Ok(Json(Value::Object(body)))
}

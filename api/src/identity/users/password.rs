//! `POST /v3/users/{id}/password`: users change their own password. The old one is the proof, so no token
//! is asked for, and guessing is limited as at sign-in.

use axum::extract::State;
use axum::http::StatusCode;
use cuttle_database::UserChange;
use cuttle_model::ids::UserId;
use secrecy::SecretString;

use crate::error::ApiError;
use crate::identity::schema;
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::path::PathId;
use crate::web::peer::Peer;

pub async fn change(
    State(shared): State<Shared>,
    peer: Peer,
    PathId(id): PathId<UserId>,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, ApiError> {
    schema::CHANGE_PASSWORD.check_plain(&body)?;
    let given = |name: &str| SecretString::from(body["user"][name].as_str().unwrap_or_default());
    let name = id.to_string();
    let guess = shared.throttle().begin(peer, &name, shared.now())?;
    let found = shared.database.get_credentials(id).await?.filter(|found| found.user.enabled);
    let hash = found.as_ref().map(|found| found.password_hash.clone());
    if !shared.passwords.verify(given("original_password"), hash).await? {
        guess.failed();
        return Err(ApiError::Unauthorized);
    }
    let password_hash = Some(shared.passwords.hash(given("password")).await?);
    shared.database.update_user(id, &UserChange { password_hash, ..UserChange::default() }).await?;
    shared.tokens().forget_user(id);
    Ok(StatusCode::NO_CONTENT)
}

//! `POST /os-keypairs`: imports a public key, or, below 2.92, makes a pair.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cuttle_database::{KeypairInsertion, QuotaScope};
use cuttle_model::keypair::{Keypair, KeypairKind};
use serde_json::Value;

use crate::compute::keypairs::{key, named_user, schema, view};
use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::body::JsonBody;
use crate::web::caller::Caller;

pub async fn handle(
    State(shared): State<Shared>,
    caller: Caller,
    version: Microversion,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    schema::CREATE.check(version, &body)?;
    let fields = &body["keypair"];
    let named = fields["user_id"].as_str().filter(|text| !text.is_empty());
    let user = named_user(&caller, named, "create")?;
    let user_id = user.ok_or_else(|| ApiError::invalid("user_id", named.unwrap_or(""), "There is no such user."))?;
    let kind = fields["type"].as_str().and_then(KeypairKind::from_word).unwrap_or(KeypairKind::Ssh);
    let (imported, private_key) = match (fields["public_key"].as_str(), kind) {
        (Some(text), _) => (key::import(kind, text)?, None),
        (None, KeypairKind::Ssh) => {
            let (imported, private_key) = key::generate()?;
            (imported, Some(private_key))
        }
        (None, KeypairKind::X509) => {
            let why = "A certificate is imported, with public_key; this service makes none.";
            return Err(ApiError::invalid("type", kind.as_str(), why));
        }
    };
    let name = fields["name"].as_str().unwrap_or_default().to_owned();
    let key::Imported { public_key, fingerprint } = imported;
    let keypair = Keypair { user_id, name, public_key, fingerprint, created_at: shared.now() };
    let quota = QuotaScope { project: caller.project_id()?, user: user_id, configured: shared.quota };
    match shared.database.insert_keypair(&keypair, &quota).await? {
        KeypairInsertion::Inserted => {
            let status = if version >= Microversion(2) { StatusCode::CREATED } else { StatusCode::OK };
            Ok((status, Json(view::created(&keypair, private_key.as_ref(), version))))
        }
        KeypairInsertion::SameName => Err(ApiError::Conflict(format!("Key pair '{}' already exists.", keypair.name))),
        KeypairInsertion::OverQuota => Err(ApiError::Forbidden("Quota exceeded, too many key pairs.".into())),
    }
}

//! `GET /instances/{id}/placement`: why an instance went where it did, or nowhere: each choice that was
//! made for it, oldest first.

use axum::Json;
use axum::extract::State;
use cuttle_model::ids::InstanceId;
use cuttle_model::placement::PlacementRecord;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operator::instances::show;
use crate::operator::placement::reasons;
use crate::shared::Shared;
use crate::web::path::PathId;

pub async fn handle(State(shared): State<Shared>, PathId(id): PathId<InstanceId>) -> Result<Json<Value>, ApiError> {
    shared.database.get_instance(id).await?.ok_or_else(|| show::missing(id))?;
    let records = shared.database.list_placements(id).await?;
    Ok(Json(json!({ "placements": records.iter().map(view).collect::<Vec<_>>() })))
}

fn view(record: &PlacementRecord) -> Value {
    json!({
        "made_at": record.made_at.to_micros_z(),
        "purpose": record.purpose,
        "operation_id": record.operation_id,
        "refusal": record.refusal,
        "reasons": reasons(&record.reasons),
    })
}

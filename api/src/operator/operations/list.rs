//! `GET /operations`: the newest first, by page. Two queries, however many there are.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use cuttle_database::OperationQuery;
use cuttle_model::ids::OperationId;
use cuttle_model::operation::{Operation, OperationKind, OperationStatus, StepRecord, Subject};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operator::operations::view;
use crate::operator::parsed;
use crate::shared::Shared;
use crate::web::query::Pairs;

const KNOWN: [&str; 8] = ["status", "kind", "instance_id", "image_id", "project_id", "request_id", "limit", "marker"];
/// Of a page, where nothing else is asked for.
const LIMIT: u32 = 100;

pub async fn handle(State(shared): State<Shared>, query: Pairs) -> Result<Json<Value>, ApiError> {
    let found = shared.database.find_operations(&read(&query)?).await?;
    let current = current_steps(&shared, &found).await?;
    let shown: Vec<Value> = found.iter().map(|operation| view::brief(operation, current.get(&operation.id))).collect();
    Ok(Json(json!({ "operations": shown })))
}

fn read(query: &Pairs) -> Result<OperationQuery, ApiError> {
    query.refuse_unknown(&KNOWN)?;
    let mut asked = OperationQuery {
        project: parsed(query, "project_id")?,
        marker: parsed(query, "marker")?,
        limit: Some(query.limit(LIMIT)?),
        ..OperationQuery::default()
    };
    if let Some(text) = query.one("request_id")? {
        asked.request = Some(cuttle_model::ids::RequestId::from_stored(text));
    }
    for word in query.all("status") {
        match (word, OperationStatus::from_word(word)) {
            ("open", _) => asked.statuses.extend(OperationStatus::ALL.into_iter().filter(|status| status.is_open())),
            (_, Some(status)) => asked.statuses.push(status),
            (_, None) => {
                let all: Vec<&str> = OperationStatus::ALL.iter().map(|status| status.as_str()).collect();
                return Err(ApiError::invalid("status", word, format_args!("One of open, {} is expected.", all.join(", "))));
            }
        }
    }
    for word in query.all("kind") {
        let kind = OperationKind::from_word(word).ok_or_else(|| {
            let all: Vec<&str> = OperationKind::ALL.iter().map(|kind| kind.as_str()).collect();
            ApiError::invalid("kind", word, format_args!("One of {} is expected.", all.join(", ")))
        })?;
        asked.kinds.push(kind);
    }
    asked.subject = match (parsed(query, "instance_id")?, parsed(query, "image_id")?) {
        (None, None) => None,
        (Some(id), None) => Some(Subject::Instance(id)),
        (None, Some(id)) => Some(Subject::Image(id)),
        (Some(_), Some(id)) => {
            return Err(ApiError::invalid("image_id", id, "An operation has one subject: give instance_id or image_id."));
        }
    };
    Ok(asked)
}

/// The newest attempt at a step of each operation that has not ended.
async fn current_steps(shared: &Shared, found: &[Operation]) -> Result<HashMap<OperationId, StepRecord>, ApiError> {
    let open: Vec<OperationId> =
        found.iter().filter(|operation| operation.status.is_open()).map(|operation| operation.id).collect();
    if open.is_empty() {
        return Ok(HashMap::new());
    }
    // They come in order, so that the last of each stays.
    Ok(shared.database.list_steps(&open).await?.into_iter().collect())
}

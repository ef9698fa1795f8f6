//! `GET /doctor`: how everything is that the cloud depends on, as this control node sees it, and what to
//! do about what is wrong. Always a 200: what is broken is in the answer.

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use crate::doctor::{Patient, examine, report};
use crate::error::ApiError;
use crate::shared::{Controlled, Shared};
use crate::web::query::Pairs;
use crate::web::routes::{Access, Routes, Service};

pub fn routes(shared: &Shared) -> Routes<Controlled> {
    Routes::new(shared, Service::Operator, "/v1").get("/doctor", Access::Admin, handle)
}

async fn handle(State(state): State<Controlled>, query: Pairs) -> Result<Json<Value>, ApiError> {
    query.refuse_unknown(&[])?;
    let patient = Patient {
        database: state.shared.database.clone(),
        ceph: state.control.ceph().cluster().cloned(),
        settings: state.control.settings().clone(),
        tls_directory: state.shared.tls_directory.clone(),
        now: state.shared.now(),
    };
    Ok(Json(report::view(&examine(&patient).await)))
}

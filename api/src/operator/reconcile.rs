//! `POST /reconcile`: compares the database with Ceph and with the hosts, and says what does not fit. With `dry_run` nothing
//! is changed; without it orphans go to the trash. It takes as long as there is to look at.

use axum::Json;
use axum::extract::State;
use cuttle_operations::reconcile::{Finding, Mode, Report, reconcile};
use serde_json::{Value, json};

use crate::compute::microversion::Microversion;
use crate::error::ApiError;
use crate::shared::{Controlled, Shared};
use crate::web::body::JsonBody;
use crate::web::routes::{Access, Routes, Service};
use crate::web::validation::Schema;

static REQUEST: Schema = Schema::new(
    |_| {
        json!({
            "type": "object",
            "properties": {"dry_run": {"type": "boolean"}},
            "required": ["dry_run"],
            "additionalProperties": false,
        })
    },
    &[],
);

pub fn routes(shared: &Shared) -> Routes<Controlled> {
    Routes::new(shared, Service::Operator, "/v1").post("/reconcile", Access::Admin, handle).takes(&REQUEST)
}

async fn handle(State(state): State<Controlled>, JsonBody(body): JsonBody) -> Result<Json<Value>, ApiError> {
    REQUEST.check(Microversion::MIN, &body)?;
    let mode = match body["dry_run"].as_bool() {
        Some(false) => Mode::TrashOrphans,
        _ => Mode::DryRun,
    };
    let report = reconcile(&state.control, mode).await?;
    Ok(Json(json!({ "reconcile": view(&report) })))
}

fn view(report: &Report) -> Value {
    json!({
        "dry_run": report.mode == Mode::DryRun,
        "began_at": report.began_at.to_micros_z(),
        "ended_at": report.ended_at.to_micros_z(),
        "looked_at": {
            "images": report.looked_at.images,
            "trashed": report.looked_at.trashed,
            "instances": report.looked_at.instances,
            "hosts": report.looked_at.hosts,
            "guests": report.looked_at.guests,
        },
        "counts": report.counts.iter().map(|(kind, count)| (kind.as_str().to_owned(), json!(count))).collect::<serde_json::Map<_, _>>(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "foreign": {
            "count": report.foreign_count,
            "images": report.foreign.iter().map(|image| {
                json!({"pool": image.pool, "image_id": image.image_id, "name": image.name})
            }).collect::<Vec<_>>(),
        },
        "unchecked": report.unchecked,
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "kind": finding.kind,
        "subject": finding.subject,
        "place": finding.place,
        "message": finding.message,
        "action": finding.action,
        "advice": finding.kind.advice(),
    })
}

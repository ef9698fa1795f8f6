//! How an operation and its steps look to operators.

use cuttle_model::fault::Fault;
use cuttle_model::operation::{Operation, StepRecord, Subject};
use serde_json::{Value, json};

/// An operation without its steps. `current` is the newest attempt at a step, where that is known.
pub fn brief(operation: &Operation, current: Option<&StepRecord>) -> Value {
    let (kind, id) = match operation.subject {
        Subject::Instance(id) => ("instance", id.to_string()),
        Subject::Image(id) => ("image", id.to_string()),
        Subject::Host(id) => ("host", id.to_string()),
    };
    json!({
        "id": operation.id,
        "kind": operation.kind.as_str(),
        "status": operation.status.as_str(),
        "subject": { "type": kind, "id": id },
        "step": current.map(|step| &step.name),
        "project_id": operation.project_id,
        "user_id": operation.user_id,
        "request_id": operation.request_id.as_str(),
        "fault": operation.fault.as_ref().map(fault),
        "cancel_requested": operation.cancel_requested,
        "control_node": operation.lease.as_ref().map(|lease| lease.owner),
        "started_at": operation.started_at.to_micros_z(),
        "finished_at": operation.finished_at.map(|time| time.to_micros_z()),
    })
}

/// An operation with all attempts at its steps, in order.
pub fn detail(operation: &Operation, steps: &[StepRecord]) -> Value {
    let mut shown = brief(operation, steps.last().filter(|_| operation.status.is_open()));
    shown["steps"] = steps.iter().map(step).collect();
    shown
}

fn step(step: &StepRecord) -> Value {
    json!({
        "sequence": step.sequence,
        "name": step.name,
        "direction": step.direction.as_str(),
        "result": step.result.map(|result| result.as_str()),
        "message": step.message,
        "progress": step.progress,
        "started_at": step.started_at.to_micros_z(),
        "finished_at": step.finished_at.map(|time| time.to_micros_z()),
    })
}

/// Why something failed.
pub fn fault(fault: &Fault) -> Value {
    json!({ "kind": fault.kind, "message": fault.message })
}

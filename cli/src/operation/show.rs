//! `cuttle operation show`, and the table of steps that others show too.

use jiff::Timestamp;

use crate::operation::wire::{Operation, Step};
use crate::output::{fields, table};
use crate::session::{Session, member};
use crate::time::{between, point, span};
use crate::{Done, Error};

pub async fn run(session: &Session, id: &str) -> Result<Done, Error> {
    let answer = session.client.get(&["operations", id], &[]).await?;
    session.show(member(answer, "operation"), human)
}

/// All that is known of an operation.
pub fn human(operation: Operation, now: Timestamp) -> String {
    let mut pairs = vec![
        ("id", operation.id.clone()),
        ("kind", operation.kind.clone()),
        ("subject", operation.subject.to_string()),
        ("status", operation.status.clone()),
        ("project", operation.project_id.clone()),
        ("user", operation.user_id.clone()),
        ("request", operation.request_id.clone()),
        ("started", point(Some(operation.started_at))),
        ("ended", point(operation.finished_at)),
        ("took", span(between(operation.started_at, operation.finished_at, now))),
    ];
    if let Some(node) = &operation.control_node {
        pairs.push(("control node", node.clone()));
    }
    if operation.cancel_requested {
        pairs.push(("cancelled", "asked to stop".to_owned()));
    }
    if let Some(fault) = &operation.fault {
        pairs.push(("fault", format!("{} ({})", fault.message, fault.kind)));
    }
    format!("{}\n{}", fields(pairs), timeline(&operation, now))
}

/// The steps with when they began, counted from the operation's start, and how long they took.
pub fn timeline(operation: &Operation, now: Timestamp) -> String {
    if operation.steps.is_empty() {
        return "No step has begun yet.\n".to_owned();
    }
    let row = |step: &Step| {
        [
            format!("+{}", span(between(operation.started_at, Some(step.started_at), now))),
            step.title(),
            result(step),
            span(between(step.started_at, step.finished_at, now)),
            step.message.clone().unwrap_or_default(),
        ]
    };
    table(["AT", "STEP", "RESULT", "TOOK", "MESSAGE"], operation.steps.iter().map(row))
}

fn result(step: &Step) -> String {
    match (&step.result, step.progress) {
        (Some(result), _) => result.clone(),
        (None, Some(progress)) => format!("at {progress}"),
        (None, None) => "under way".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// An operation in its second step.
    pub fn operation() -> Operation {
        serde_json::from_value(json!({
            "id": "o1", "kind": "create_instance", "status": "running", "subject": {"type": "instance", "id": "i1"},
            "step": "write", "project_id": "p1", "user_id": "u1", "request_id": "req-1", "fault": null,
            "cancel_requested": false, "control_node": "n1",
            "started_at": "2026-11-21T12:00:00.000000Z", "finished_at": null,
            "steps": [
                {"sequence": 0, "name": "choose", "direction": "do", "result": "done", "message": null, "progress": null,
                 "started_at": "2026-11-21T12:00:00.001000Z", "finished_at": "2026-11-21T12:00:00.013000Z"},
                {"sequence": 1, "name": "write", "direction": "do", "result": null, "message": null,
                 "progress": {"done": 3, "total": 4},
                 "started_at": "2026-11-21T12:00:00.013000Z", "finished_at": null},
            ],
        }))
        .unwrap()
    }

    #[test]
    fn an_operation_with_its_steps() {
        let now = "2026-11-21T12:00:05Z".parse().unwrap();
        let expected = "\
id            o1
kind          create_instance
subject       instance i1
status        running
project       p1
user          u1
request       req-1
started       2026-11-21 12:00:00
ended         -
took          5.00 s
control node  n1

AT        STEP    RESULT   TOOK     MESSAGE
+1.0 ms   choose  done     12.0 ms  -
+13.0 ms  write   at 75 %  4.99 s   -
";
        assert_eq!(human(operation(), now), expected);
    }
}

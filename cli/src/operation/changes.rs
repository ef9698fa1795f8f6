//! What has changed between two looks at an operation, a line for each change.

use jiff::Timestamp;

use crate::operation::wire::{Operation, Step};
use crate::output::plain;
use crate::time::{between, span};

/// The lines, oldest first. `before` is the last look, if there was one.
pub fn changes(before: Option<&Operation>, after: &Operation, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |time: Timestamp, text: String| lines.push(line(after, time, &text));
    if before.is_none() {
        say(after.started_at, format!("began as {} for request {}", after.id, after.request_id));
    }
    for step in &after.steps {
        let earlier = before.and_then(|before| before.steps.iter().find(|earlier| earlier.sequence == step.sequence));
        match (earlier.and_then(|earlier| earlier.finished_at), step.finished_at) {
            (None, Some(end)) => say(end, ended(step, now)),
            (None, None) if earlier.is_none() => say(step.started_at, step.title()),
            _ => {}
        }
    }
    if after.cancel_requested && !before.is_some_and(|before| before.cancel_requested) {
        say(now, "asked to stop".to_owned());
    }
    if let (Some(end), None) = (after.finished_at, before.and_then(|before| before.finished_at)) {
        let took = span(between(after.started_at, Some(end), now));
        let why = after.fault.as_ref().map(|fault| format!(": {}", fault.message)).unwrap_or_default();
        say(end, format!("{} after {took}{why}", after.status));
    }
    lines
}

/// How far the step under way is, if it has got on.
pub fn progress(before: Option<&Operation>, after: &Operation, now: Timestamp) -> Option<String> {
    let step = after.steps.last().filter(|step| step.finished_at.is_none())?;
    let earlier = before.and_then(|before| before.steps.iter().find(|earlier| earlier.sequence == step.sequence));
    let (was, is) = (earlier.and_then(|earlier| earlier.progress), step.progress?);
    (was != Some(is)).then(|| line(after, now, &format!("{} {is}", step.title())))
}

fn line(operation: &Operation, time: Timestamp, text: &str) -> String {
    format!("{} {} {}: {}", time.strftime("%H:%M:%S%.3f"), operation.kind, operation.subject, plain(text))
}

fn ended(step: &Step, now: Timestamp) -> String {
    let took = span(between(step.started_at, step.finished_at, now));
    let result = step.result.as_deref().unwrap_or("ended");
    let message = step.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    format!("{} {result} after {took}{message}", step.title())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::show::tests::operation;
    use crate::operation::wire::{Fault, Progress};

    #[test]
    fn each_change_is_said_once() {
        let now: Timestamp = "2026-11-21T12:00:05Z".parse().unwrap();
        let first = operation();
        assert_eq!(
            changes(None, &first, now),
            [
                "12:00:00.000 create_instance instance i1: began as o1 for request req-1",
                "12:00:00.013 create_instance instance i1: choose done after 12.0 ms",
                "12:00:00.013 create_instance instance i1: write",
            ]
        );
        assert!(changes(Some(&first), &first, now).is_empty());
        let mut second = first.clone();
        second.steps[1].progress = Some(Progress { done: 4, total: Some(4) });
        assert!(changes(Some(&first), &second, now).is_empty());
        let said = progress(Some(&first), &second, now);
        assert_eq!(said.as_deref(), Some("12:00:05.000 create_instance instance i1: write 100 %"));
        assert_eq!(progress(Some(&second), &second, now), None);
        let mut third = second.clone();
        third.steps[1].finished_at = Some(now);
        third.steps[1].result = Some("failed".into());
        third.steps[1].message = Some("the pool is full".into());
        third.status = "parked".into();
        third.finished_at = Some(now);
        third.fault = Some(Fault { kind: "storage".into(), message: "no room".into() });
        assert_eq!(
            changes(Some(&second), &third, now),
            [
                "12:00:05.000 create_instance instance i1: write failed after 4.99 s: the pool is full",
                "12:00:05.000 create_instance instance i1: parked after 5.00 s: no room",
            ]
        );
    }
}

//! `cuttle instance events`: the operations on an instance as a timeline, the oldest first.

use jiff::Timestamp;

use crate::instance::find;
use crate::operation::timeline;
use crate::operation::wire::Operation;
use crate::output::plain;
use crate::session::{Session, member};
use crate::time::{between, point, span};
use crate::{Done, Error};

pub async fn run(session: &Session, typed: &str) -> Result<Done, Error> {
    let id = find::id(session, typed).await?;
    let answer = session.client.get(&["instances", &id, "events"], &[]).await?;
    session.show(member(answer, "operations"), human)
}

fn human(operations: Vec<Operation>, now: Timestamp) -> String {
    if operations.is_empty() {
        return "Nothing was done to it, or it is forgotten.\n".to_owned();
    }
    let block = |operation: &Operation| {
        let fault = operation.fault.as_ref().map(|fault| format!("\nfault: {}", plain(&fault.message))).unwrap_or_default();
        let took = span(between(operation.started_at, operation.finished_at, now));
        format!(
            "{} {} {} in {took} (operation {}, request {}){fault}\n{}",
            point(Some(operation.started_at)),
            operation.kind,
            operation.status,
            operation.id,
            operation.request_id,
            timeline(operation, now),
        )
    };
    operations.iter().rev().map(block).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::show::tests::operation;

    #[test]
    fn the_oldest_comes_first() {
        let now = "2026-11-21T12:00:05Z".parse().unwrap();
        let mut newer = operation();
        newer.kind = "stop_instance".into();
        newer.steps.clear();
        let expected = "\
2026-11-21 12:00:00 create_instance running in 5.00 s (operation o1, request req-1)
AT        STEP    RESULT   TOOK     MESSAGE
+1.0 ms   choose  done     12.0 ms  -
+13.0 ms  write   at 75 %  4.99 s   -

2026-11-21 12:00:00 stop_instance running in 5.00 s (operation o1, request req-1)
No step has begun yet.
";
        assert_eq!(human(vec![newer, operation()], now), expected);
    }
}

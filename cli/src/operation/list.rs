//! `cuttle operation list`.

use jiff::Timestamp;

use crate::operation::Filter;
use crate::operation::wire::Operation;
use crate::output::table;
use crate::session::{Session, member};
use crate::time::{between, point, span};
use crate::{Done, Error};

pub async fn run(session: &Session, filter: Filter) -> Result<Done, Error> {
    let mut query = vec![("limit", filter.limit.to_string())];
    if filter.open {
        query.push(("status", "open".into()));
    }
    query.extend(filter.status.into_iter().map(|status| ("status", status)));
    query.extend(filter.kind.into_iter().map(|kind| ("kind", kind)));
    let single = [
        ("instance_id", filter.instance),
        ("image_id", filter.image),
        ("project_id", filter.project),
        ("request_id", filter.request),
        ("marker", filter.marker),
    ];
    query.extend(single.into_iter().filter_map(|(key, value)| Some((key, value?))));
    let answer = session.client.get(&["operations"], &query).await?;
    session.show(member(answer, "operations"), human)
}

fn human(operations: Vec<Operation>, now: Timestamp) -> String {
    if operations.is_empty() {
        return "No operations.\n".to_owned();
    }
    let row = |operation: &Operation| {
        [
            operation.id.clone(),
            operation.kind.clone(),
            operation.subject.to_string(),
            operation.status.clone(),
            operation.step.clone().unwrap_or_default(),
            point(Some(operation.started_at)),
            span(between(operation.started_at, operation.finished_at, now)),
        ]
    };
    table(["ID", "KIND", "SUBJECT", "STATUS", "STEP", "STARTED (UTC)", "TOOK"], operations.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::show::tests::operation;

    #[test]
    fn operations_in_a_table() {
        let now = "2026-11-21T12:00:05Z".parse().unwrap();
        let expected = "\
ID  KIND             SUBJECT      STATUS   STEP   STARTED (UTC)        TOOK
o1  create_instance  instance i1  running  write  2026-11-21 12:00:00  5.00 s
";
        assert_eq!(human(vec![operation()], now), expected);
        assert_eq!(human(Vec::new(), now), "No operations.\n");
    }
}

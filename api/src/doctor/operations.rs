//! Operations that nobody will end: parked ones, those that are under way for very long, and those that try a step again.

use std::collections::BTreeMap;
use std::time::Duration;

use cuttle_database::{Database, OperationQuery};
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::OperationId;
use cuttle_model::operation::{Operation, OperationStatus, StepRecord, StepResult};

use super::check::{Check, timed};
use crate::error::chain;

/// How many are looked at.
const LIMIT: u32 = 1000;
/// How many are named.
const NAMED: usize = 5;
/// Nothing but a large import takes longer.
const LONG: Duration = Duration::from_secs(3600);

pub async fn examine(database: &Database, now: Timestamp) -> Vec<Check> {
    timed("operations", "look whether the database answers", async {
        let find = |statuses: Vec<OperationStatus>| {
            let query = OperationQuery { statuses, limit: Some(LIMIT), ..OperationQuery::default() };
            async move { database.find_operations(&query).await }
        };
        let open = OperationStatus::ALL.into_iter().filter(|status| status.is_open()).collect();
        match tokio::try_join!(find(vec![OperationStatus::Parked]), find(open)) {
            Err(error) => vec![Check::broken("operations", chain(&error), "look whether the database answers")],
            Ok((parked, open)) => {
                let mut found = judge(&parked, &open, now);
                found.extend(repeated(database, &open).await);
                found
            }
        }
    })
    .await
}

/// What is tried again, and why: so the reason is seen before the operation has an end.
async fn repeated(database: &Database, open: &[Operation]) -> Option<Check> {
    let ids: Vec<OperationId> = open.iter().map(|operation| operation.id).collect();
    let advice = "what the last attempt said is the reason; 'cuttle operation show ID' shows all of them";
    let steps = match ids.is_empty() {
        true => Vec::new(),
        false => match database.list_steps(&ids).await {
            Ok(steps) => steps,
            Err(error) => return Some(Check::broken("operations", chain(&error), "look whether the database answers")),
        },
    };
    // The newest attempt that has ended is the last of its operation.
    let failed: BTreeMap<OperationId, StepRecord> = steps.into_iter().filter(|(_, step)| step.result.is_some()).collect();
    let said: Vec<String> = failed
        .iter()
        .filter(|(_, step)| step.result == Some(StepResult::Retry))
        .map(|(id, step)| format!("{id} at '{}': {}", step.name, step.message.as_deref().unwrap_or("no reason was given")))
        .collect();
    let rest = said.len().saturating_sub(NAMED);
    let more = if rest == 0 { String::new() } else { format!(" and {rest} more") };
    let named = said.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    (!said.is_empty()).then(|| Check::warning("repeated operations", format!("{named}{more}"), advice))
}

fn judge(parked: &[Operation], open: &[Operation], now: Timestamp) -> Vec<Check> {
    let mut found = vec![Check::ok("operations", format!("{} under way", open.len()))];
    if !parked.is_empty() {
        found.push(Check::warning(
            "parked operations",
            format!("{}: neither done nor undone", named(parked)),
            "'cuttle operation show ID' says what failed; mend that, then delete the instance or start it again",
        ));
    }
    let long: Vec<Operation> = open.iter().filter(|operation| now.since(operation.started_at) > LONG).cloned().collect();
    if !long.is_empty() {
        found.push(Check::warning(
            "long operations",
            format!("{}: under way for more than {} min", named(&long), LONG.as_secs() / 60),
            "'cuttle operation show ID' says at which step; 'cuttle operation cancel ID' undoes it",
        ));
    }
    found
}

fn named(operations: &[Operation]) -> String {
    let first: Vec<String> =
        operations.iter().take(NAMED).map(|operation| format!("{} {}", operation.kind.as_str(), operation.id)).collect();
    let rest = operations.len().saturating_sub(NAMED);
    format!("{}{}", first.join(", "), if rest == 0 { String::new() } else { format!(" and {rest} more") })
}

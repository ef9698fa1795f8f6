//! Commands that no host took, operations that nobody carries on, and tasks that no operation does.

use std::collections::HashMap;
use std::time::Duration;

use cuttle_database::OperationQuery;
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::HostId;
use cuttle_model::instance::InstanceState;
use cuttle_model::operation::{Operation, OperationStatus, Subject};

use super::Look;
use super::finding::{Finding, Kind};

/// So many at the most: there should be none.
const LIMIT: u32 = 1000;
/// How long after its time a command may be on its way.
const LATE: Duration = Duration::from_secs(60);

/// Looks for what stands still.
pub(super) async fn look(look: &mut Look<'_>) -> cuttle_database::Result<()> {
    commands(look).await?;
    operations(look).await?;
    tasks(look).await
}

async fn commands(look: &mut Look<'_>) -> cuttle_database::Result<()> {
    let database = look.control.database();
    let overdue = database.overdue_commands(earlier(look.began_at, LATE), LIMIT).await?;
    if overdue.is_empty() {
        return Ok(());
    }
    let names: HashMap<HostId, String> =
        database.list_hosts().await?.into_iter().map(|host| (host.id, host.name.to_string())).collect();
    for command in overdue {
        let host = names.get(&command.host_id).map_or("a host that is gone", String::as_str);
        let minutes = look.began_at.since(command.not_after).as_secs() / 60;
        let message = format!(
            "{host} never said what came of '{}' for instance {}, whose time was over {minutes} minutes ago",
            command.action, command.instance_id
        );
        look.report.add(Finding::new(Kind::OverdueCommand, command.id, Some(host), message));
    }
    Ok(())
}

async fn operations(look: &mut Look<'_>) -> cuttle_database::Result<()> {
    let statuses = vec![OperationStatus::Running, OperationStatus::Undoing, OperationStatus::Parked];
    let query = OperationQuery { statuses, limit: Some(LIMIT), ..OperationQuery::default() };
    let patience = 4 * look.control.settings().lease() + LATE;
    for operation in look.control.database().find_operations(&query).await? {
        let why = match operation.status {
            OperationStatus::Parked if is_settled_since(look, &operation).await? => continue,
            OperationStatus::Parked => {
                let fault = operation.fault.as_ref().map_or("for a reason that is not on record", |fault| fault.message.as_str());
                format!("could neither be finished nor undone: {fault}")
            }
            _ => match &operation.lease {
                Some(lease) if lease.until.plus(patience) < look.began_at => {
                    format!("is carried on by nobody; its last lease ended {} s ago", look.began_at.since(lease.until).as_secs())
                }
                _ => continue,
            },
        };
        let message = format!("'{}' of {} {why}", operation.kind.as_str(), word(operation.subject));
        look.report.add(Finding::new(Kind::StuckOperation, operation.id, None, message));
    }
    Ok(())
}

/// What it was parked on is gone, or was worked on with success since.
async fn is_settled_since(look: &Look<'_>, operation: &Operation) -> cuttle_database::Result<bool> {
    let database = look.control.database();
    let gone = match operation.subject {
        Subject::Instance(id) => database.get_instance(id).await?.is_none_or(|row| row.state == InstanceState::Deleted),
        Subject::Image(id) => database.get_image(id).await?.is_none(),
        Subject::Host(_) => false,
    };
    let newest = OperationQuery { subject: Some(operation.subject), limit: Some(1), ..OperationQuery::default() };
    Ok(gone || database.find_operations(&newest).await?.first().is_some_and(|newest| newest.id != operation.id))
}

async fn tasks(look: &mut Look<'_>) -> cuttle_database::Result<()> {
    let database = look.control.database();
    for (instance, task) in database.idle_tasks(LIMIT).await? {
        let message = format!("'{}' is said to go on with instance {instance}, and no operation does it", task.as_str());
        look.report.add(Finding::new(Kind::IdleTask, instance, None, message));
    }
    Ok(())
}

fn word(subject: Subject) -> String {
    match subject {
        Subject::Instance(id) => format!("instance {id}"),
        Subject::Image(id) => format!("image {id}"),
        Subject::Host(id) => format!("host {id}"),
    }
}

fn earlier(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_micros(time.as_micros().saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}

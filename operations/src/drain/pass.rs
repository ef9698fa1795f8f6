//! One look at a host that is drained: what is there, what is on its way, what can go next and what cannot.

use std::collections::{HashMap, HashSet};

use cuttle_database::{InstanceQuery, MigrationQuery, OperationQuery};
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::{Instance, StateName};
use cuttle_model::machine::Request;
use cuttle_model::migration::MigrationStatus;
use cuttle_model::operation::{OperationKind, OperationStatus, Subject};

use super::Drain;
use crate::engine::{Context, StepError};
use crate::moving::{self, Move};
use crate::{RequestError, power};

/// An instance whose move was undone so often is left where it is.
const ATTEMPTS: usize = 2;
/// At the most so many of those that cannot go are named.
const NAMED: usize = 20;

/// What was found.
pub(super) struct Look {
    /// Those that are still here.
    here: Vec<Instance>,
    /// Those that this drain has begun to move, and that are not settled where they go.
    moving: HashSet<InstanceId>,
    /// How each move of this drain that did not succeed failed.
    failures: HashMap<InstanceId, Vec<String>>,
}

/// What became of one pass.
pub(super) struct Passed {
    /// Something is on its way, or may go by itself.
    goes_on: bool,
    /// Those that cannot go, and why.
    blocked: Vec<String>,
}

/// Looks, and confirms those of its moves that have arrived: what stood still has no reason to wait for its owner.
pub(super) async fn look(context: &Context, state: &Drain) -> Result<Look, StepError> {
    let database = context.control.database();
    let ours = OperationQuery {
        request: Some(state.request_id.clone()),
        kinds: vec![OperationKind::MigrateInstance],
        ..OperationQuery::default()
    };
    let mut failures: HashMap<InstanceId, Vec<String>> = HashMap::new();
    let mut begun = HashSet::new();
    for operation in database.find_operations(&ours).await? {
        let Subject::Instance(id) = operation.subject else { continue };
        begun.insert(operation.id);
        if matches!(operation.status, OperationStatus::Undone | OperationStatus::Parked) {
            let why = operation.fault.map_or_else(|| "it was undone".to_owned(), |fault| fault.message);
            failures.entry(id).or_default().push(why);
        }
    }
    let open = MigrationQuery { source: Some(state.host.to_string()), is_settled: Some(false), ..MigrationQuery::default() };
    let mut moving = HashSet::new();
    for migration in database.list_migrations(&open).await?.into_iter().filter(|one| begun.contains(&one.operation_id)) {
        moving.insert(migration.instance_id);
        if migration.status == MigrationStatus::Finished {
            match power::request(&context.control, &state.who(), migration.instance_id, Request::ConfirmResize).await {
                Ok(()) | Err(RequestError::Conflict { .. } | RequestError::NotFound) => {}
                Err(RequestError::Database(error)) => return Err(error.into()),
                Err(error) => tracing::info!(instance = %migration.instance_id, %error, "not confirmed yet"),
            }
        }
    }
    let here = InstanceQuery { host: Some(state.host_id), ..InstanceQuery::default() };
    let here = database.list_instances(&here).await?;
    Ok(Look { here, moving, failures })
}

impl Look {
    /// How many are still here or on their way.
    pub(super) fn left(&self) -> u64 {
        let elsewhere = self.moving.iter().filter(|id| self.here.iter().all(|instance| instance.id != **id)).count();
        u64::try_from(self.here.len() + elsewhere).unwrap_or(u64::MAX)
    }

    pub(super) fn moving(&self) -> usize {
        self.moving.len()
    }

    /// Begins as many moves as may be under way at once.
    pub(super) async fn begin_moves(&self, context: &Context, state: &Drain) -> Result<Passed, StepError> {
        let limit = usize::try_from(state.how.parallel.max(1)).unwrap_or(usize::MAX);
        let mut under_way = self.moving.len();
        let mut passed = Passed { goes_on: under_way > 0, blocked: Vec::new() };
        for instance in self.here.iter().filter(|instance| !self.moving.contains(&instance.id)) {
            // Something else is done to it, after which it can go.
            if instance.task.is_some() {
                passed.goes_on = true;
                continue;
            }
            let failed = self.failures.get(&instance.id).map(Vec::as_slice).unwrap_or_default();
            let way = match (failed, way_of(instance, state.how.cold)) {
                ([.., last], _) if failed.len() >= ATTEMPTS => Err(last.clone()),
                (_, way) => way,
            };
            let what = match way {
                Ok(what) => what,
                Err(why) => {
                    passed.blocked.push(format!("{} {why}", instance.id));
                    continue;
                }
            };
            if under_way >= limit {
                passed.goes_on = true;
                continue;
            }
            match moving::begin(&context.control, &state.who(), instance.id, what).await {
                Ok(()) => {
                    under_way += 1;
                    passed.goes_on = true;
                }
                Err(RequestError::Database(error)) => return Err(error.into()),
                // It has changed since: the next look tells how.
                Err(RequestError::Conflict { .. } | RequestError::NotFound | RequestError::Busy) => passed.goes_on = true,
                Err(error) => passed.blocked.push(format!("{}: {error}", instance.id)),
            }
        }
        Ok(passed)
    }
}

/// How the instance can go, or why it cannot.
fn way_of(instance: &Instance, cold: bool) -> Result<Move, String> {
    match instance.state.name() {
        StateName::Stopped => Ok(Move::Migrate { host: None }),
        StateName::Active if cold => Ok(Move::Migrate { host: None }),
        StateName::Active => Err("runs, and is not to be shut down".to_owned()),
        StateName::Paused => Err("is paused".to_owned()),
        StateName::Resized => Err("waits for its owner to confirm or revert its move".to_owned()),
        StateName::Building => Err("is being built".to_owned()),
        StateName::Error => Err("is in error".to_owned()),
        StateName::Deleted => Err("is deleted".to_owned()),
    }
}

impl Passed {
    /// Nothing is on its way, and nothing can go.
    pub(super) fn is_stuck(&self) -> bool {
        !self.goes_on && !self.blocked.is_empty()
    }

    /// Those that cannot go.
    pub(super) fn blockers(&self) -> String {
        let shown: Vec<&str> = self.blocked.iter().take(NAMED).map(String::as_str).collect();
        let more = match self.blocked.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        format!("{} cannot go: {}{more}", self.blocked.len(), shown.join("; "))
    }
}

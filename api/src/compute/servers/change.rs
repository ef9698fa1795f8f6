//! Changes to an instance's row that no operation is needed for: the guest does not feel them.

use cuttle_database::Written;
use cuttle_model::ids::{InstanceId, OperationId};
use cuttle_model::instance::{Instance, StateName};
use cuttle_model::operation::{Operation, OperationKind, OperationStatus, Subject};

use crate::compute::servers;
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::caller::Caller;

/// How often a change is tried that others get ahead of.
const ATTEMPTS: u32 = 20;

/// Writes what `edit` makes of the instance; it is asked again where the row has changed meanwhile.
pub async fn change(
    shared: &Shared,
    caller: &Caller,
    id: InstanceId,
    edit: impl Fn(&mut Instance) -> Result<(), ApiError>,
) -> Result<Instance, ApiError> {
    write(shared, caller, id, None, edit).await
}

/// As [`change`], and keeps in the journal that it was done and by whom.
pub async fn recorded(
    shared: &Shared,
    caller: &Caller,
    id: InstanceId,
    kind: OperationKind,
    edit: impl Fn(&mut Instance) -> Result<(), ApiError>,
) -> Result<Instance, ApiError> {
    write(shared, caller, id, Some(kind), edit).await
}

async fn write(
    shared: &Shared,
    caller: &Caller,
    id: InstanceId,
    kind: Option<OperationKind>,
    edit: impl Fn(&mut Instance) -> Result<(), ApiError>,
) -> Result<Instance, ApiError> {
    for _ in 0..ATTEMPTS {
        let before = servers::get(shared, caller, id).await?;
        let mut instance = before.clone();
        edit(&mut instance)?;
        if instance == before {
            return Ok(instance);
        }
        instance.updated_at = shared.now();
        let written = match kind {
            None => shared.database.update_instance(&instance, None).await?,
            Some(kind) => {
                let operation = done(shared, caller, &instance, kind)?;
                shared.database.update_instance_recorded(&instance, &operation).await?
            }
        };
        if written == Written::Done {
            instance.generation += 1;
            return Ok(instance);
        }
    }
    Err(ApiError::Conflict(format!("Instance {id} is being changed by others; try again.")))
}

/// An operation that is over when it is begun: there is nothing to do in the world.
fn done(shared: &Shared, caller: &Caller, instance: &Instance, kind: OperationKind) -> Result<Operation, ApiError> {
    let who = caller.requester()?;
    Ok(Operation {
        id: OperationId::new(shared.ids.as_ref()),
        kind,
        subject: Subject::Instance(instance.id),
        project_id: who.project_id,
        user_id: who.user_id,
        request_id: who.request_id,
        status: OperationStatus::Succeeded,
        next_step: 0,
        state: serde_json::json!({}),
        fault: None,
        cancel_requested: false,
        lease: None,
        started_at: instance.updated_at,
        finished_at: Some(instance.updated_at),
    })
}

/// Refuses what a lock keeps everybody but administrators from.
pub fn unless_locked(caller: &Caller, instance: &Instance) -> Result<(), ApiError> {
    match instance.lock.is_some() && !caller.is_admin() {
        true => Err(ApiError::Conflict(format!("Instance {} is locked", instance.id))),
        false => Ok(()),
    }
}

/// Refuses in states in which Nova takes no notes (metadata, tags).
pub fn if_settled(instance: &Instance, what: &str) -> Result<(), ApiError> {
    let refuse = |kind: &str, state: &str| {
        let id = instance.id;
        Err(ApiError::Conflict(format!("Cannot '{what}' instance {id} while it is in {kind} {state}")))
    };
    match (instance.state.name(), instance.task) {
        (_, Some(task)) => refuse("task_state", task.as_str()),
        (StateName::Building | StateName::Error | StateName::Deleted, None) => refuse("vm_state", instance.state.name().as_str()),
        (_, None) => Ok(()),
    }
}

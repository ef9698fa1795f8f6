//! The actions `lock` and `unlock`: a lock keeps a server from being changed by mistake.

use axum::http::StatusCode;
use cuttle_model::ids::InstanceId;
use cuttle_model::instance::{Instance, Lock, LockedBy};
use cuttle_model::operation::OperationKind;
use serde_json::Value;

use crate::compute::microversion::Microversion;
use crate::compute::servers::{change, schema};
use crate::error::ApiError;
use crate::shared::Shared;
use crate::web::caller::Caller;

/// The owner's lock stays as it is when the owner locks again; an administrator's replaces it.
pub async fn lock(
    shared: &Shared,
    caller: &Caller,
    version: Microversion,
    id: InstanceId,
    body: &Value,
) -> Result<StatusCode, ApiError> {
    schema::LOCK.check(version, body)?;
    let reason = body["lock"]["locked_reason"].as_str().map(str::to_owned);
    change::recorded(shared, caller, id, OperationKind::LockInstance, |instance| {
        let by = who(caller, instance);
        if by == LockedBy::Admin || instance.lock.is_none() {
            instance.lock = Some(Lock { by, reason: reason.clone() });
        }
        Ok(())
    })
    .await?;
    Ok(StatusCode::ACCEPTED)
}

/// An administrator opens every lock, an owner its own.
pub async fn unlock(shared: &Shared, caller: &Caller, id: InstanceId) -> Result<StatusCode, ApiError> {
    change::recorded(shared, caller, id, OperationKind::UnlockInstance, |instance| {
        let by_admin = instance.lock.as_ref().is_some_and(|lock| lock.by == LockedBy::Admin);
        if by_admin && !caller.is_admin() {
            let rule = "os_compute_api:os-lock-server:unlock:unlock_override";
            return Err(ApiError::Forbidden(format!("Policy doesn't allow {rule} to be performed.")));
        }
        instance.lock = None;
        Ok(())
    })
    .await?;
    Ok(StatusCode::ACCEPTED)
}

/// As Nova tells them apart: whose project it is owns it, whatever the role.
fn who(caller: &Caller, instance: &Instance) -> LockedBy {
    match caller.project_id() {
        Ok(project) if project == instance.project_id => LockedBy::Owner,
        _ => LockedBy::Admin,
    }
}

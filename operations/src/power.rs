//! Requests to an instance that exists: what is asked, what the state machine says, what is begun.

use cuttle_database::{Begin, Begun, Mark, WhenBusy};
use cuttle_model::ids::{InstanceId, OperationId};
use cuttle_model::instance::{Instance, Task};
use cuttle_model::machine::{self, Decision, Refusal, Request};
use cuttle_model::operation::{Operation, OperationKind, OperationStatus, Subject};

use crate::delete::Delete;
use crate::engine::{Engine, Steps};
use crate::moving::{Confirm, Revert};
use crate::pause::{Pause, Unpause};
use crate::reboot::{Reboot, RebootKind};
use crate::start::Start;
use crate::stop::Stop;
use crate::{Control, RequestError, Requester};

/// Begins what is asked of an instance; nothing to do is a success.
pub async fn request(control: &Control, who: &Requester, id: InstanceId, request: Request) -> Result<(), RequestError> {
    // The row may change between our look and our mark; then we look again.
    loop {
        let instance = control.database().get_instance(id).await?.ok_or(RequestError::NotFound)?;
        let task = match machine::decide(instance.state.name(), instance.task, request) {
            Decision::Accept(task) => task,
            Decision::AlreadyDone => return Ok(()),
            Decision::Refuse(Refusal::Gone) => return Err(RequestError::NotFound),
            Decision::Refuse(Refusal::State | Refusal::Busy) => return Err(conflict(&instance, request)),
        };
        // An instance in error may be one that was never made.
        let runs = matches!(request, Request::Start | Request::Reboot | Request::RebootHard);
        if runs && (instance.root_disk.is_none() || instance.host_id.is_none()) {
            return Err(RequestError::NoDisk);
        }
        let Some(operation) = operation_for(control, who, &instance, request) else {
            return Err(conflict(&instance, request));
        };
        let when_busy = match (request, instance.task) {
            (Request::Delete, _) | (Request::RebootHard, Some(Task::Rebooting)) => WhenBusy::CancelAndWait,
            _ => WhenBusy::Refuse,
        };
        let mark = Mark::Instance { generation: instance.generation, task };
        let begin = Begin { operation, mark, when_busy, room: None };
        match control.database().begin_operation(&begin).await? {
            Begun::Begun => {
                control.engine().start(control, begin.operation);
                return Ok(());
            }
            Begun::Waiting => return Ok(()),
            // Another delete waits already.
            Begun::Busy if request == Request::Delete => return Ok(()),
            Begun::Busy | Begun::HostFull | Begun::OverQuota(_) => return Err(conflict(&instance, request)),
            Begun::Stale => {}
        }
    }
}

/// The operation that does it. `None`: the instance has nothing to do it with, or more has to be said ([`crate::moving`]).
fn operation_for(control: &Control, who: &Requester, instance: &Instance, request: Request) -> Option<Operation> {
    let subject = Subject::Instance(instance.id);
    Some(match request {
        Request::Start => new_operation(control, who, Start::KIND, subject, &Start::new(instance.id)),
        Request::Stop => {
            let stop = Stop::new(instance.id, instance.host_id, instance.epoch);
            new_operation(control, who, Stop::KIND, subject, &stop)
        }
        Request::Reboot => new_operation(control, who, Reboot::KIND, subject, &Reboot::new(instance.id, RebootKind::Soft)),
        Request::RebootHard => new_operation(control, who, Reboot::KIND, subject, &Reboot::new(instance.id, RebootKind::Hard)),
        Request::Pause => new_operation(control, who, Pause::KIND, subject, &Pause::new(instance)),
        Request::Unpause => new_operation(control, who, Unpause::KIND, subject, &Unpause::new(instance)),
        Request::ConfirmResize => new_operation(control, who, Confirm::KIND, subject, &Confirm::new(instance)),
        Request::RevertResize => new_operation(control, who, Revert::KIND, subject, &Revert::new(instance)?),
        Request::Delete => new_operation(control, who, Delete::KIND, subject, &Delete::new(instance.id)),
        Request::Resize | Request::Migrate => return None,
    })
}

/// An operation that is about to begin, with this node's lease.
pub(crate) fn new_operation<S: Steps>(
    control: &Control,
    who: &Requester,
    kind: OperationKind,
    subject: Subject,
    state: &S,
) -> Operation {
    Operation {
        id: OperationId::new(control.ids()),
        kind,
        subject,
        project_id: who.project_id,
        user_id: who.user_id,
        request_id: who.request_id.clone(),
        status: OperationStatus::Running,
        next_step: 0,
        state: serde_json::to_value(state).unwrap_or_default(),
        fault: None,
        cancel_requested: false,
        lease: Some(Engine::first_lease(control)),
        started_at: control.now(),
        finished_at: None,
    }
}

pub(crate) fn conflict(instance: &Instance, request: Request) -> RequestError {
    let (state, task) = (instance.state.name(), instance.task);
    RequestError::Conflict { state, task, request, allowed: machine::allowed(state, task) }
}

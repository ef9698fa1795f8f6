//! Drain: every instance of a host goes elsewhere, and none comes.
//!
//! One operation on the host: it closes the host to placement and then begins moves, each an operation of its own, until
//! nothing is left or nothing more can go. It can be cut off, resumed and cancelled at any moment, as what is moved is read
//! from the database at each look ([`pass`]); a move that was begun is carried to its end in any case. The host stays closed
//! until it is undrained.

mod pass;

use std::time::Duration;

use cuttle_database::{Begin, Begun, Event, Mark, OperationQuery, WhenBusy};
use cuttle_model::fault::FaultKind;
use cuttle_model::host::{Administrative, HostName};
use cuttle_model::ids::{HostId, OperationId, ProjectId, RequestId, UserId};
use cuttle_model::operation::{OperationKind, OperationStatus, Subject};
use serde::{Deserialize, Serialize};

use crate::engine::{Context, Step, StepError, Steps, step};
use crate::power::new_operation;
use crate::{Control, RequestError, Requester};

/// Looked at anew after so long, whatever events say.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How a host is to be drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct How {
    /// So many instances are moved at once.
    pub parallel: u32,
    /// Guests that run are shut down and run anew elsewhere. Otherwise they are left, and named.
    pub cold: bool,
}

/// The operation's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Drain {
    host_id: HostId,
    host: HostName,
    how: How,
    project_id: ProjectId,
    user_id: UserId,
    /// Also of all moves that it begins: by this they are told from others.
    request_id: RequestId,
}

/// Begins to drain a host; answers the operation.
pub async fn begin(control: &Control, who: &Requester, name: &HostName, how: How) -> Result<OperationId, RequestError> {
    let missing = || RequestError::NoSuchHost(name.clone());
    let host = control.database().find_host(name).await?.ok_or_else(missing)?;
    let Requester { project_id, user_id, request_id } = who.clone();
    let state = Drain { host_id: host.id, host: host.name, how, project_id, user_id, request_id };
    let operation = new_operation(control, who, Drain::KIND, Subject::Host(host.id), &state);
    let begin = Begin { operation, mark: Mark::Host, when_busy: WhenBusy::Refuse, room: None };
    match control.database().begin_operation(&begin).await? {
        Begun::Begun => {
            let id = begin.operation.id;
            control.engine().start(control, begin.operation);
            Ok(id)
        }
        Begun::Stale => Err(missing()),
        Begun::Busy | Begun::Waiting | Begun::HostFull | Begun::OverQuota(_) => Err(RequestError::Busy),
    }
}

/// Ends a drain that is under way, and opens the host to placement. What has moved stays where it is.
pub async fn end(control: &Control, name: &HostName) -> Result<(), RequestError> {
    let missing = || RequestError::NoSuchHost(name.clone());
    let host = control.database().find_host(name).await?.ok_or_else(missing)?;
    let open = OperationQuery {
        subject: Some(Subject::Host(host.id)),
        kinds: vec![OperationKind::DrainHost],
        statuses: vec![OperationStatus::Running, OperationStatus::Undoing],
        ..OperationQuery::default()
    };
    for operation in control.database().find_operations(&open).await? {
        control.database().cancel_operation(operation.id).await?;
    }
    match control.database().set_administrative(host.id, &Administrative::Enabled).await? {
        true => Ok(()),
        false => Err(missing()),
    }
}

impl Steps for Drain {
    const KIND: OperationKind = OperationKind::DrainHost;

    fn steps() -> Vec<Step<Self>> {
        vec![
            step!("close host", close, no_undo: "the host stays closed until it is undrained"),
            step!("move instances", move_instances, undo: see_moves_end),
        ]
    }
}

impl Drain {
    fn who(&self) -> Requester {
        Requester { project_id: self.project_id, user_id: self.user_id, request_id: self.request_id.clone() }
    }
}

/// Takes the host out of placement. One that was out of it keeps its reason.
async fn close(context: &Context, state: &mut Drain) -> Result<(), StepError> {
    let database = context.control.database();
    let gone = || StepError::failed(FaultKind::Internal, "the host was removed");
    let host = database.get_host(state.host_id).await?.ok_or_else(gone)?;
    if host.administrative == Administrative::Enabled {
        let reason = Some("draining".to_owned());
        database.set_administrative(state.host_id, &Administrative::Disabled { reason }).await?;
    }
    Ok(())
}

async fn move_instances(context: &Context, state: &mut Drain) -> Result<(), StepError> {
    let mut most = 0;
    loop {
        let mut events = context.control.database().events();
        let look = pass::look(context, state).await?;
        most = most.max(look.left());
        context.progress(most - look.left(), Some(most)).await;
        if look.left() == 0 {
            return Ok(());
        }
        let begun = look.begin_moves(context, state).await?;
        if begun.is_stuck() {
            return Err(StepError::failed(FaultKind::NoValidHost, begun.blockers()));
        }
        // Whatever ends may be what was waited for.
        let ended = async { while !matches!(events.recv().await, Ok(Event::Ended(_) | Event::Resync) | Err(_)) {} };
        // Either is a reason to look again.
        let _ = context.or_cancelled(tokio::time::timeout(LOOK_EVERY, ended)).await?;
    }
}

/// Nothing more is begun, and nothing is left half done: moves that were begun end, and are confirmed.
async fn see_moves_end(context: &Context, state: &mut Drain) -> Result<(), StepError> {
    while pass::look(context, state).await?.moving() > 0 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

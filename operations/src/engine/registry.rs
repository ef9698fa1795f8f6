//! The operations that there are: one line for each kind.

use cuttle_model::operation::{Operation, OperationKind};
use tokio_util::sync::CancellationToken;

use super::runner;
use super::steps::{Steps, Undo};
use crate::Control;

/// Does something with the type of a kind of operation.
macro_rules! with_kind {
    ($kind:expr, $Steps:ident => $body:expr, recorded => $recorded:expr) => {
        match $kind {
            OperationKind::CreateInstance => with_kind!(@ crate::create::Create, $Steps => $body),
            OperationKind::DeleteInstance => with_kind!(@ crate::delete::Delete, $Steps => $body),
            OperationKind::StartInstance => with_kind!(@ crate::start::Start, $Steps => $body),
            OperationKind::StopInstance => with_kind!(@ crate::stop::Stop, $Steps => $body),
            OperationKind::RebootInstance => with_kind!(@ crate::reboot::Reboot, $Steps => $body),
            OperationKind::PauseInstance => with_kind!(@ crate::pause::Pause, $Steps => $body),
            OperationKind::UnpauseInstance => with_kind!(@ crate::pause::Unpause, $Steps => $body),
            // A migration is a resize that keeps its flavor.
            OperationKind::ResizeInstance | OperationKind::MigrateInstance => {
                with_kind!(@ crate::moving::Resize, $Steps => $body)
            }
            OperationKind::ConfirmResize => with_kind!(@ crate::moving::Confirm, $Steps => $body),
            OperationKind::RevertResize => with_kind!(@ crate::moving::Revert, $Steps => $body),
            OperationKind::DrainHost => with_kind!(@ crate::drain::Drain, $Steps => $body),
            OperationKind::ImportImage => with_kind!(@ crate::image::Import, $Steps => $body),
            OperationKind::DeleteImage => with_kind!(@ crate::image::Delete, $Steps => $body),
            // Over when they are recorded: nothing runs.
            OperationKind::LockInstance | OperationKind::UnlockInstance => $recorded,
        }
    };
    (@ $type:ty, $Steps:ident => $body:expr) => {{
        type $Steps = $type;
        $body
    }};
}

/// Works on an operation from where its journal stands.
pub(super) async fn dispatch(control: Control, operation: Operation, lease_epoch: i64, cancelled: CancellationToken) {
    with_kind!(operation.kind, S => runner::run::<S>(control, operation, lease_epoch, cancelled).await, recorded => ())
}

/// A step, as others may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepShape {
    /// As users see it.
    pub name: &'static str,
    /// Whether there is something to undo.
    pub has_undo: bool,
}

/// The steps of a kind of operation, first to last.
pub fn shape(kind: OperationKind) -> Vec<StepShape> {
    with_kind!(kind, S => S::steps()
        .iter()
        .map(|step| StepShape { name: step.name, has_undo: matches!(step.undo, Undo::By(_)) })
        .collect(), recorded => Vec::new())
}

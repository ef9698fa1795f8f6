//! Where a test can get between the engine and a step: to let it fail, run it twice, or cut it off anywhere.
//!
//! Production has no probe, and nothing here but the call that is left out.

use cuttle_model::ids::OperationId;
use cuttle_model::operation::{Direction, OperationKind};
use futures::future::BoxFuture;

use super::StepError;

/// One attempt at a step or at its undo. It is in the journal already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub operation: OperationId,
    pub kind: OperationKind,
    pub step: &'static str,
    pub direction: Direction,
    /// Counts over all attempts of the operation.
    pub attempt: u32,
}

/// What stands around each attempt.
pub trait Probe: Send + Sync {
    /// Carries `work` out, or does what the test wants in its place.
    fn attempt<'a>(&'a self, point: Point, work: BoxFuture<'a, Result<(), StepError>>) -> BoxFuture<'a, Result<(), StepError>>;
}

//! Why a step did not succeed: the engine's one question is what to do next.

use cuttle_model::fault::{Fault, FaultKind};
use cuttle_rbd_backend::Class;

/// Why an attempt at a step did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// It may work later. Whether something was changed is not known; the step looks for itself.
    #[error("{0}")]
    Retry(Fault),
    /// It will not work.
    #[error("{0}")]
    Failed(Fault),
    /// The operation was asked to stop.
    #[error("it was cancelled")]
    Cancelled,
    /// Another control node works on the operation now.
    #[error("the lease was taken over")]
    LeaseLost,
    /// This control node was fenced: what became of the attempt is for another one to find out.
    #[error("this control node was fenced")]
    Fenced,
    /// The database failed. Nothing can be journaled without it, so this is waited out.
    #[error(transparent)]
    Database(#[from] cuttle_database::Error),
}

impl StepError {
    pub(crate) fn retry(kind: FaultKind, message: impl Into<String>) -> Self {
        Self::Retry(Fault::new(kind, message))
    }

    pub(crate) fn failed(kind: FaultKind, message: impl Into<String>) -> Self {
        Self::Failed(Fault::new(kind, message))
    }
}

impl From<cuttle_rbd_backend::Error> for StepError {
    fn from(error: cuttle_rbd_backend::Error) -> Self {
        if error.is_fenced() {
            return Self::Fenced;
        }
        let message = error.to_string();
        match error.class() {
            Class::Retry | Class::Unknown => Self::retry(FaultKind::Storage, message),
            Class::Gone | Class::Refused | Class::Broken => Self::failed(FaultKind::Storage, message),
        }
    }
}

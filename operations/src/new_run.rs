//! The steps that end every operation which runs a guest anew: the old one proven gone, a new epoch, and in
//! it a guest that is created paused, recorded, and let run.

use cuttle_model::fault::FaultKind;
use cuttle_model::ids::InstanceId;

use crate::engine::{Context, Step, StepError, Steps, step};
use crate::guest::{self, GuestRun};

/// An operation that runs a guest anew.
pub(crate) trait NewRun: Steps {
    fn instance_id(&self) -> InstanceId;

    /// The run, from when its epoch has begun.
    fn run(&self) -> &Option<GuestRun>;

    fn set_run(&mut self, run: GuestRun);
}

/// The last steps of an operation. Until they begin no guest of the instance may be wanted any more.
pub(crate) fn steps<S: NewRun>() -> [Step<S>; 5] {
    [
        step!("prove old guest gone", prove_gone::<S>, no_undo: "what is gone stays gone"),
        step!("begin epoch", begin_epoch::<S>, no_undo: "an epoch only grows"),
        step!("create guest", create_guest::<S>, undo: destroy_guest::<S>),
        step!("record clients", record_clients::<S>, no_undo: "a guest that is destroyed makes its records void; destroying it proves that"),
        step!("run guest", run_guest::<S>, no_undo: "destroying the guest undoes this too"),
    ]
}

fn begun<S: NewRun>(state: &S) -> Result<&GuestRun, StepError> {
    state.run().as_ref().ok_or_else(|| StepError::failed(FaultKind::Internal, "the instance has no new epoch"))
}

async fn prove_gone<S: NewRun>(context: &Context, state: &mut S) -> Result<(), StepError> {
    guest::prove_gone(context, state.instance_id()).await
}

async fn begin_epoch<S: NewRun>(context: &Context, state: &mut S) -> Result<(), StepError> {
    state.set_run(guest::begin_run(context).await?);
    Ok(())
}

async fn create_guest<S: NewRun>(context: &Context, state: &mut S) -> Result<(), StepError> {
    guest::create_paused(context, begun(state)?).await
}

async fn destroy_guest<S: NewRun>(context: &Context, state: &mut S) -> Result<(), StepError> {
    let run = begun(state)?;
    guest::make_void(context, run.instance_id, run.host_id, run.epoch).await
}

async fn record_clients<S: NewRun>(context: &Context, state: &mut S) -> Result<(), StepError> {
    guest::record_clients(context, begun(state)?).await
}

async fn run_guest<S: NewRun>(context: &Context, state: &mut S) -> Result<(), StepError> {
    guest::resume(context, begun(state)?).await
}

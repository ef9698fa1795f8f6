//! What an operation is: its steps in order, and what becomes of its subject in the end.

use cuttle_database::ClaimEnd;
use cuttle_model::fault::Fault;
use cuttle_model::ids::HostId;
use cuttle_model::image::Image;
use cuttle_model::instance::{Instance, Task};
use cuttle_model::operation::OperationKind;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Context, StepError};

/// An operation: the type that implements this is its state, which is journaled with each step.
pub trait Steps: Serialize + DeserializeOwned + Send + Sync + 'static {
    const KIND: OperationKind;

    /// The steps, first to last. The list must stay the same while operations of older versions may
    /// be under way: append, don't insert.
    fn steps() -> Vec<Step<Self>>;

    /// What becomes of the instance, for operations on instances: changes its row as it is now, and
    /// answers whether the claim goes. Called again if the row changed meanwhile.
    fn end_instance(&self, _outcome: &Outcome, _instance: &mut Instance) -> ClaimEnd {
        ClaimEnd::Kept
    }

    /// Is this task the mark of an operation that waits for the end of this one? It stays then.
    fn gives_way_to(&self, task: Task) -> bool {
        task == Task::Deleting && Self::KIND != OperationKind::DeleteInstance
    }

    /// What becomes of the image, for operations on images.
    fn end_image(&self, _outcome: &Outcome, _image: &mut Image) {}
}

/// How an operation came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    /// It ended where it began, because of this.
    Undone(Fault),
    /// It could not be undone, because of this.
    Parked(Fault),
}

/// The row of an operation's subject.
#[derive(Debug, Clone)]
pub(super) enum Row {
    Instance(Box<Instance>),
    Image(Box<Image>),
    Host(HostId),
}

/// A step or an undo: does one thing, with the operation's state at hand.
pub type StepFn<S> = for<'a> fn(&'a Context, &'a mut S) -> BoxFuture<'a, Result<(), StepError>>;

/// One step.
pub struct Step<S> {
    /// As users see it.
    pub name: &'static str,
    pub run: StepFn<S>,
    pub undo: Undo<S>,
}

/// How a step is undone.
pub enum Undo<S> {
    By(StepFn<S>),
    /// There is nothing to undo, for this reason.
    Nothing(&'static str),
}

/// `step!("name", function, undo: function)` or `step!("name", function, no_undo: "reason")`, where a
/// function is `async fn(&Context, &mut State) -> Result<(), StepError>`.
macro_rules! step {
    ($name:literal, $run:path, undo: $undo:path) => {
        $crate::engine::Step {
            name: $name,
            run: |context, state| Box::pin($run(context, state)),
            undo: $crate::engine::Undo::By(|context, state| Box::pin($undo(context, state))),
        }
    };
    ($name:literal, $run:path, no_undo: $why:literal) => {
        $crate::engine::Step {
            name: $name,
            run: |context, state| Box::pin($run(context, state)),
            undo: $crate::engine::Undo::Nothing($why),
        }
    };
}
pub(crate) use step;

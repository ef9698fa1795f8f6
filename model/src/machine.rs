//! The state machine: what happens when something is asked of an instance.
//!
//! One exhaustive match over (state, task, request). The table in `docs/states.md` is generated from
//! it, and a test fails when the two differ.

use crate::instance::{StateName, Task};

/// What a user may ask of an instance that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    Start,
    Stop,
    /// Shut the guest down and run it again; its plug is pulled if it does not go.
    Reboot,
    /// Pull the guest's plug and run it again, made anew.
    RebootHard,
    /// Let the guest stand still.
    Pause,
    /// Let it go on.
    Unpause,
    /// Another flavor, or another host: both are kept until it is confirmed or reverted.
    Resize,
    /// Another host, cold, with the same flavor.
    Migrate,
    ConfirmResize,
    RevertResize,
    Delete,
}

impl Request {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Start,
        Self::Stop,
        Self::Reboot,
        Self::RebootHard,
        Self::Pause,
        Self::Unpause,
        Self::Resize,
        Self::Migrate,
        Self::ConfirmResize,
        Self::RevertResize,
        Self::Delete,
    ];

    /// OpenStack's word for it, as in its conflict messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            // OpenStack has one word for both.
            Self::Reboot | Self::RebootHard => "reboot",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Resize => "resize",
            Self::Migrate => "migrate",
            Self::ConfirmResize => "confirmResize",
            Self::RevertResize => "revertResize",
            Self::Delete => "delete",
        }
    }
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Begin the operation and set this task.
    Accept(Task),
    /// It is so, or is being made so: succeed without doing anything.
    AlreadyDone,
    /// Nothing may be done now.
    Refuse(Refusal),
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The state does not allow it, whatever is going on.
    State,
    /// Something else is being done to the instance; it may be asked again afterwards.
    Busy,
    /// The instance does not exist any more.
    Gone,
}

/// What happens when `request` is made of an instance in `state` with `task`.
pub fn decide(state: StateName, task: Option<Task>, request: Request) -> Decision {
    use Decision::{Accept, AlreadyDone, Refuse};
    use Request as R;
    use StateName as S;
    use Task as T;

    match (state, task, request) {
        (S::Deleted, _, _) => Refuse(Refusal::Gone),

        // What is being deleted is as good as gone.
        (_, Some(T::Deleting), R::Delete) => AlreadyDone,
        // A delete cancels whatever else goes on: the engine undoes that first.
        (_, _, R::Delete) => Accept(T::Deleting),

        // Whoever does not want to wait for the guest: the plug is pulled at once.
        (S::Active | S::Stopped | S::Error, Some(T::Rebooting), R::RebootHard) => Accept(T::RebootingHard),
        // What is asked for is being done.
        (_, Some(T::Starting), R::Start)
        | (_, Some(T::Stopping), R::Stop)
        | (_, Some(T::Rebooting), R::Reboot)
        | (_, Some(T::RebootingHard), R::RebootHard)
        | (_, Some(T::Pausing), R::Pause)
        | (_, Some(T::Unpausing), R::Unpause)
        | (_, Some(T::ConfirmingResize), R::ConfirmResize)
        | (_, Some(T::RevertingResize), R::RevertResize) => AlreadyDone,
        // Whichever move is under way may be another one than what is asked for.
        (_, Some(_), _) => Refuse(Refusal::Busy),

        (S::Active, None, R::Stop) => Accept(T::Stopping),
        (S::Stopped, None, R::Start) => Accept(T::Starting),
        // An instance in error may still have a guest; stopping it is the way to be sure.
        (S::Error, None, R::Stop) => Accept(T::Stopping),
        // Nova answers 409 to a start of what runs and to a stop of what does not.
        (S::Building | S::Active | S::Paused | S::Resized | S::Error, None, R::Start) => Refuse(Refusal::State),
        (S::Building | S::Paused | S::Stopped | S::Resized, None, R::Stop) => Refuse(Refusal::State),

        // Only a guest that runs can be asked to shut down.
        (S::Active, None, R::Reboot) => Accept(T::Rebooting),
        (S::Building | S::Paused | S::Stopped | S::Resized | S::Error, None, R::Reboot) => Refuse(Refusal::State),
        // The way back from whatever the guest is in, also from an error.
        (S::Active | S::Paused | S::Stopped | S::Error, None, R::RebootHard) => Accept(T::RebootingHard),
        (S::Building | S::Resized, None, R::RebootHard) => Refuse(Refusal::State),

        (S::Active, None, R::Pause) => Accept(T::Pausing),
        (S::Building | S::Paused | S::Stopped | S::Resized | S::Error, None, R::Pause) => Refuse(Refusal::State),
        (S::Paused, None, R::Unpause) => Accept(T::Unpausing),
        (S::Building | S::Active | S::Stopped | S::Resized | S::Error, None, R::Unpause) => Refuse(Refusal::State),

        (S::Active | S::Stopped, None, R::Resize | R::Migrate) => Accept(T::Resizing),
        (S::Building | S::Paused | S::Resized | S::Error, None, R::Resize | R::Migrate) => Refuse(Refusal::State),
        (S::Resized, None, R::ConfirmResize) => Accept(T::ConfirmingResize),
        (S::Resized, None, R::RevertResize) => Accept(T::RevertingResize),
        (S::Building | S::Active | S::Paused | S::Stopped | S::Error, None, R::ConfirmResize | R::RevertResize) => {
            Refuse(Refusal::State)
        }
    }
}

/// The requests that would be accepted now: what a refusal tells the user.
pub fn allowed(state: StateName, task: Option<Task>) -> Vec<Request> {
    Request::ALL.into_iter().filter(|request| matches!(decide(state, task, *request), Decision::Accept(_))).collect()
}

/// A request's heading in the table.
fn column(request: Request) -> &'static str {
    match request {
        Request::Reboot => "reboot (soft)",
        Request::RebootHard => "reboot (hard)",
        Request::ConfirmResize => "confirm",
        Request::RevertResize => "revert",
        _ => request.as_str(),
    }
}

/// The whole table as Markdown.
pub fn table() -> String {
    let mut text = String::from("| state | task |");
    for request in Request::ALL {
        text += &format!(" {} |", column(request));
    }
    text += "\n|---|---|";
    text += &"---|".repeat(Request::ALL.len());
    let tasks = std::iter::once(None).chain(Task::ALL.into_iter().map(Some));
    for (state, task) in StateName::ALL.into_iter().flat_map(|state| tasks.clone().map(move |task| (state, task))) {
        text += &format!("\n| {} | {} |", state.as_str(), task.map_or("–", Task::as_str));
        for request in Request::ALL {
            text += &match decide(state, task, request) {
                Decision::Accept(task) => format!(" → {} |", task.as_str()),
                Decision::AlreadyDone => " already done |".to_owned(),
                Decision::Refuse(Refusal::State) => " refused: state |".to_owned(),
                Decision::Refuse(Refusal::Busy) => " refused: busy |".to_owned(),
                Decision::Refuse(Refusal::Gone) => " not found |".to_owned(),
            };
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_situation() -> impl Iterator<Item = (StateName, Option<Task>)> {
        let tasks: Vec<_> = std::iter::once(None).chain(Task::ALL.into_iter().map(Some)).collect();
        StateName::ALL.into_iter().flat_map(move |state| tasks.clone().into_iter().map(move |task| (state, task)))
    }

    #[test]
    fn a_delete_is_never_refused_while_the_instance_exists() {
        for (state, task) in every_situation().filter(|(state, _)| *state != StateName::Deleted) {
            assert!(!matches!(decide(state, task, Request::Delete), Decision::Refuse(_)), "{state:?} {task:?}");
        }
    }

    #[test]
    fn nothing_begins_beside_a_task_but_a_delete_and_a_hard_reboot_in_place_of_a_soft_one() {
        for (state, task) in every_situation().filter(|(_, task)| task.is_some()) {
            for request in Request::ALL.into_iter().filter(|request| *request != Request::Delete) {
                let instead = request == Request::RebootHard && task == Some(Task::Rebooting);
                let accepted = matches!(decide(state, task, request), Decision::Accept(_));
                assert!(!accepted || instead, "{state:?} {task:?} {request:?}");
            }
        }
    }

    #[test]
    fn a_hard_reboot_is_a_way_out_of_every_settled_state_that_ever_ran() {
        for state in [StateName::Active, StateName::Paused, StateName::Stopped, StateName::Error] {
            assert_eq!(decide(state, None, Request::RebootHard), Decision::Accept(Task::RebootingHard), "{state:?}");
        }
        assert_eq!(decide(StateName::Building, None, Request::RebootHard), Decision::Refuse(Refusal::State));
    }

    #[test]
    fn only_what_runs_is_rebooted_softly() {
        for state in StateName::ALL.into_iter().filter(|state| *state != StateName::Deleted) {
            let accepted = decide(state, None, Request::Reboot) == Decision::Accept(Task::Rebooting);
            assert_eq!(accepted, state == StateName::Active, "{state:?}");
        }
    }

    #[test]
    fn a_deleted_instance_is_gone_for_every_request() {
        for request in Request::ALL {
            assert_eq!(decide(StateName::Deleted, None, request), Decision::Refuse(Refusal::Gone));
        }
        assert!(allowed(StateName::Deleted, None).is_empty());
    }

    #[test]
    fn the_documented_table_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/states.md");
        let page = format!(
            "# Instance states and requests\n\nGenerated from `model/src/machine.rs` and `model/src/wire.rs`; to write it again: \
             `CUTTLE_GENERATE=1 cargo test -p cuttle-model documented`.\n\n\
             ## What happens on a request\n\n{}\n## What clients see\n\n{}",
            table(),
            crate::wire::table()
        );
        if std::env::var_os("CUTTLE_GENERATE").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page, "docs/states.md is out of date");
    }
}

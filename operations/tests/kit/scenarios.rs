//! What the kit does to each operation: every step twice, failing, and cut off, going on and being undone.

use std::fmt;

use cuttle_model::operation::{Direction, OperationStatus};
use cuttle_operations::engine::{StepShape, shape};

use super::operations::Entry;
use super::script::{Act, Rule};

/// How far inside a step it is looked for places to cut it off, at the most.
const MOST_CUTS: u32 = 200;

/// One run of one operation. Each list of rules is for one life of the process; the last life ends in peace.
#[derive(Clone)]
pub struct Scenario {
    pub entry: Entry,
    pub lives: Vec<Vec<Rule>>,
    pub ends: Vec<OperationStatus>,
    /// The next one is to be tried only if this one's cut was reached.
    pub next_cut: bool,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.entry.kind.as_str())?;
        for (number, rules) in self.lives.iter().enumerate() {
            f.write_str(if number == 0 { " " } else { "; then " })?;
            for rule in rules {
                let undo = if rule.direction == Direction::Undo { "undo of " } else { "" };
                write!(f, "[{:?} {undo}'{}']", rule.act, rule.step)?;
            }
        }
        Ok(())
    }
}

/// Where operations are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cuts {
    /// Before and after each step, and wherever it waits.
    Everywhere,
    /// Before, once inside, and after each step.
    Steps,
    /// Each step at one of these, which one says the seed.
    EachStepOnce { seed: u64 },
}

fn rule(step: StepShape, direction: Direction, act: Act) -> Rule {
    Rule { step: step.name, direction, act }
}

/// All scenarios of an operation.
pub fn of(entry: &Entry, cuts: Cuts) -> Vec<Scenario> {
    let steps = shape(entry.kind);
    let mut all = Vec::new();
    let mut add = |lives: Vec<Vec<Rule>>, ends: &[OperationStatus], next_cut: bool| {
        all.push(Scenario { entry: entry.clone(), lives, ends: ends.to_vec(), next_cut });
    };
    let (succeeded, undone) = ([OperationStatus::Succeeded], [OperationStatus::Undone]);
    let either = [OperationStatus::Succeeded, OperationStatus::Undone];
    // What only its first process can finish may also be undone by the next.
    let resumed: &[OperationStatus] = if entry.bound_to_process { &either } else { &succeeded };
    let undos_twice = || steps.iter().filter(|step| step.has_undo).map(|step| rule(*step, Direction::Undo, Act::Twice));

    if cuts == Cuts::Everywhere || cuts == Cuts::Steps {
        let twice = steps.iter().map(|step| rule(*step, Direction::Do, Act::Twice)).collect();
        add(vec![twice], resumed, false);
    }
    for (number, step) in steps.iter().enumerate() {
        let act = |act| rule(*step, Direction::Do, act);
        let crashes = crash_acts(cuts, number);
        if let Cuts::EachStepOnce { seed } = cuts {
            // One life each: twice, failing, cut off and resumed, cut off and undone.
            add(vec![vec![act(Act::Twice)]], resumed, false);
            let fail = if (seed >> number) & 1 == 0 { Act::FailBefore } else { Act::FailAfter };
            add(vec![std::iter::once(act(fail)).chain(undos_twice()).collect()], &undone, false);
            add(vec![vec![act(crashes[0])], vec![]], resumed, false);
            continue;
        }
        add(vec![vec![act(Act::Twice)]], resumed, false);
        for fail in [Act::FailBefore, Act::FailAfter] {
            add(vec![std::iter::once(act(fail)).chain(undos_twice()).collect()], &undone, false);
        }
        add(vec![vec![act(Act::Cancel)]], &either, false);
        for crash in &crashes {
            add(vec![vec![act(*crash)], vec![]], resumed, matches!(crash, Act::CrashIn(_)));
        }
        for crash in [Act::CrashBefore, Act::CrashIn(2), Act::CrashAfter] {
            add(vec![vec![act(crash)], vec![act(Act::FailBefore)]], &either, false);
        }
    }
    // An undo, itself cut off. It began because the last step failed when all was done.
    if let Some(last) = steps.last() {
        let undoable = steps.iter().enumerate().filter(|(_, step)| step.has_undo);
        for (number, step) in undoable {
            for crash in crash_acts(cuts, number) {
                let first = vec![rule(*last, Direction::Do, Act::FailAfter), rule(*step, Direction::Undo, crash)];
                add(vec![first, vec![]], &undone, matches!(crash, Act::CrashIn(_)));
            }
        }
    }
    all
}

fn crash_acts(cuts: Cuts, number: usize) -> Vec<Act> {
    let some = [Act::CrashBefore, Act::CrashIn(1), Act::CrashIn(3), Act::CrashAfter];
    match cuts {
        Cuts::Everywhere => {
            let inside = (1..=MOST_CUTS).map(Act::CrashIn);
            [Act::CrashBefore, Act::CrashAfter].into_iter().chain(inside).collect()
        }
        Cuts::Steps => vec![Act::CrashBefore, Act::CrashIn(2), Act::CrashAfter],
        Cuts::EachStepOnce { seed } => {
            let turn = usize::try_from(seed % some.len() as u64).unwrap_or(0) + number;
            vec![some[turn % some.len()]]
        }
    }
}

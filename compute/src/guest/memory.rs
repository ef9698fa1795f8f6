//! Which commands were carried out lately, so that one delivered again is answered instead of repeated.

use std::collections::{HashMap, VecDeque};

use cuttle_compute_protocol::{Outcome, Report};
use cuttle_model::ids::CommandId;

/// As many reports as are remembered.
const REMEMBERED: usize = 1024;

/// A bounded memory.
#[derive(Default)]
pub struct Memory {
    commands: HashMap<CommandId, Option<Report>>,
    done: VecDeque<CommandId>,
}

/// What is known of a command that just arrived.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Nothing: carry it out.
    First,
    /// It is being carried out.
    UnderWay,
    /// It was carried out, and this was reported.
    Done(Report),
}

impl Memory {
    /// A command arrived.
    pub fn begin(&mut self, command: CommandId) -> Delivery {
        match self.commands.get(&command) {
            Some(Some(report)) => Delivery::Done(report.clone()),
            Some(None) => Delivery::UnderWay,
            None => {
                self.commands.insert(command, None);
                Delivery::First
            }
        }
    }

    /// How many arrived and were not carried out yet.
    pub fn under_way(&self) -> usize {
        self.commands.len().saturating_sub(self.done.len())
    }

    /// It was carried out. A console's text is too much to remember: it is read again if asked again.
    pub fn finish(&mut self, report: Report) {
        if matches!(report.outcome, Outcome::Console { .. }) {
            self.commands.remove(&report.command_id);
            return;
        }
        self.done.push_back(report.command_id);
        self.commands.insert(report.command_id, Some(report));
        while self.done.len() > REMEMBERED {
            if let Some(oldest) = self.done.pop_front() {
                self.commands.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cuttle_model::ids::{Epoch, InstanceId};
    use uuid::Uuid;

    use super::*;

    fn report(number: u128) -> Report {
        Report {
            command_id: CommandId::from_uuid(Uuid::from_u128(number)),
            instance_id: InstanceId::from_uuid(Uuid::nil()),
            epoch: Epoch(1),
            outcome: Outcome::Gone,
        }
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let mut memory = Memory::default();
        let last = REMEMBERED as u128;
        for number in 0..=last {
            let report = report(number);
            assert_eq!(memory.begin(report.command_id), Delivery::First);
            assert_eq!(memory.begin(report.command_id), Delivery::UnderWay);
            memory.finish(report);
        }
        assert_eq!(memory.begin(report(last).command_id), Delivery::Done(report(last)));
        assert_eq!(memory.begin(report(1).command_id), Delivery::Done(report(1)));
        assert_eq!(memory.under_way(), 0);
        assert_eq!(memory.begin(report(0).command_id), Delivery::First);
        assert_eq!(memory.under_way(), 1);
        assert_eq!(memory.commands.len(), REMEMBERED + 1);
    }
}

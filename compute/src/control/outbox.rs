//! What the control plane has yet to take: reports of commands, and guests that changed by themselves.
//!
//! Always true: a report stays until it is removed by whoever sent it and had it taken; of a guest only
//! the latest state is kept. It is all in memory: after the agent's own death the commands come again,
//! and hello tells of the guests.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use cuttle_compute_protocol::{GuestState, Report};
use cuttle_model::ids::InstanceId;
use tokio::sync::Notify;

/// The outbox. One session at a time empties it.
#[derive(Default)]
pub struct Outbox {
    inner: Mutex<Inner>,
    new_report: Notify,
    new_guest: Notify,
}

#[derive(Default)]
struct Inner {
    last: u64,
    reports: BTreeMap<u64, Waiting>,
    guests: HashMap<InstanceId, (u64, GuestState)>,
}

struct Waiting {
    report: Report,
    refusals: u32,
}

/// How often a report may be refused as wrong before it is given up.
const REFUSALS: u32 = 10;

impl Outbox {
    /// Puts a report in.
    pub fn report(&self, report: Report) {
        self.change(|inner, number| {
            inner.reports.insert(number, Waiting { report, refusals: 0 });
        });
        self.new_report.notify_one();
    }

    /// Puts a guest's state in, in the place of an older one.
    pub fn guest(&self, state: GuestState) {
        self.change(|inner, number| {
            inner.guests.insert(state.instance_id, (number, state));
        });
        self.new_guest.notify_one();
    }

    /// The oldest reports that `busy` does not say are on their way, at most `limit`.
    pub fn reports(&self, limit: usize, busy: impl Fn(u64) -> bool) -> Vec<(u64, Report)> {
        let inner = self.lock();
        let free = inner.reports.iter().filter(|(number, _)| !busy(**number));
        free.take(limit).map(|(number, waiting)| (*number, waiting.report.clone())).collect()
    }

    /// How many reports wait, those that are on their way included.
    pub fn report_count(&self) -> usize {
        self.lock().reports.len()
    }

    /// A report was taken.
    pub fn report_taken(&self, number: u64) {
        self.lock().reports.remove(&number);
    }

    /// A report was refused as wrong. Whether it is given up now.
    pub fn report_refused(&self, number: u64) -> bool {
        let mut inner = self.lock();
        let Some(waiting) = inner.reports.get_mut(&number) else {
            return false;
        };
        waiting.refusals += 1;
        let enough = waiting.refusals >= REFUSALS;
        if enough {
            inner.reports.remove(&number);
        }
        enough
    }

    /// The states of guests, with the number under which each was put in.
    pub fn guests(&self) -> Vec<(u64, GuestState)> {
        self.lock().guests.values().cloned().collect()
    }

    /// These states were taken. One that was replaced meanwhile stays.
    pub fn guests_taken(&self, taken: &[(u64, GuestState)]) {
        let mut inner = self.lock();
        for (number, state) in taken {
            if inner.guests.get(&state.instance_id).is_some_and(|(current, _)| current == number) {
                inner.guests.remove(&state.instance_id);
            }
        }
    }

    /// Waits until a report was put in.
    pub async fn wait_for_report(&self) {
        self.new_report.notified().await;
    }

    /// Waits until a guest's state was put in.
    pub async fn wait_for_guest(&self) {
        self.new_guest.notified().await;
    }

    fn change(&self, change: impl FnOnce(&mut Inner, u64)) {
        let mut inner = self.lock();
        inner.last += 1;
        let number = inner.last;
        change(&mut inner, number);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use cuttle_compute_protocol::Outcome;
    use cuttle_model::ids::{CommandId, Epoch};
    use cuttle_model::instance::PowerState;
    use uuid::Uuid;

    use super::*;

    fn report(number: u128) -> Report {
        let (command_id, instance_id) = (CommandId::from_uuid(Uuid::from_u128(number)), InstanceId::from_uuid(Uuid::nil()));
        Report { command_id, instance_id, epoch: Epoch(1), outcome: Outcome::Gone }
    }

    fn state(power: PowerState) -> GuestState {
        GuestState { instance_id: InstanceId::from_uuid(Uuid::nil()), epoch: Epoch(1), power }
    }

    #[test]
    fn a_report_stays_until_it_is_taken() {
        let outbox = Outbox::default();
        outbox.report(report(1));
        outbox.report(report(2));
        let first = outbox.reports(1, |_| false);
        assert_eq!(first[0].1, report(1));
        let rest = outbox.reports(9, |number| number == first[0].0);
        assert_eq!(rest.len(), 1);
        outbox.report_taken(rest[0].0);
        assert_eq!(outbox.reports(9, |_| false), first);
    }

    #[test]
    fn a_report_that_is_always_refused_is_given_up() {
        let outbox = Outbox::default();
        outbox.report(report(1));
        let number = outbox.reports(1, |_| false)[0].0;
        let refused: Vec<bool> = (0..REFUSALS).map(|_| outbox.report_refused(number)).collect();
        assert_eq!(refused.iter().filter(|enough| **enough).count(), 1);
        assert!(outbox.reports(1, |_| false).is_empty());
    }

    #[test]
    fn a_state_that_changed_on_the_way_is_sent_again() {
        let outbox = Outbox::default();
        outbox.guest(state(PowerState::Paused));
        let sent = outbox.guests();
        outbox.guest(state(PowerState::Crashed));
        outbox.guests_taken(&sent);
        let left = outbox.guests();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].1.power, PowerState::Crashed);
        outbox.guests_taken(&left);
        assert!(outbox.guests().is_empty());
    }
}

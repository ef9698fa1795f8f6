//! What the control plane was told of each guest: a change is news only if it differs from this.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use cuttle_model::ids::{Epoch, InstanceId};
use cuttle_model::instance::PowerState;

use crate::hypervisor::Guest;

/// Epoch and power state of each guest that has a process, as last told.
#[derive(Default)]
pub struct Known(Mutex<HashMap<InstanceId, (Epoch, PowerState)>>);

impl Known {
    /// What was told of one guest.
    pub fn get(&self, instance: InstanceId) -> Option<(Epoch, PowerState)> {
        self.lock().get(&instance).copied()
    }

    /// This is being told now.
    pub fn set(&self, instance: InstanceId, epoch: Epoch, power: PowerState) {
        self.lock().insert(instance, (epoch, power));
    }

    /// It is being told that there is none. What was told before.
    pub fn remove(&self, instance: InstanceId) -> Option<(Epoch, PowerState)> {
        self.lock().remove(&instance)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Those of which something else, or nothing, was told than this list says.
    pub fn differing(&self, guests: &[Guest]) -> Vec<InstanceId> {
        let known = self.lock();
        let here = |instance: &InstanceId| guests.iter().any(|guest| guest.instance_id == *instance);
        let changed = guests.iter().filter(|guest| known.get(&guest.instance_id) != Some(&(guest.epoch, guest.power)));
        let gone = known.keys().filter(|instance| !here(instance)).copied();
        changed.map(|guest| guest.instance_id).chain(gone).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<InstanceId, (Epoch, PowerState)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_differences_are_news() {
        let id = |number| InstanceId::from_uuid(uuid::Uuid::from_u128(number));
        let guest = |number, power| Guest { instance_id: id(number), epoch: Epoch(1), power, storage_failed: false };
        let known = Known::default();
        known.set(id(1), Epoch(1), PowerState::Running);
        known.set(id(2), Epoch(1), PowerState::Running);
        known.set(id(3), Epoch(1), PowerState::Running);
        let now = [guest(1, PowerState::Running), guest(2, PowerState::Paused), guest(4, PowerState::Running)];
        let mut differing = known.differing(&now);
        differing.sort();
        assert_eq!(differing, [id(2), id(3), id(4)]);
    }
}

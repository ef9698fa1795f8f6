//! What the agent promised about an instance's epochs, kept across its own death.
//!
//! Always true:
//! - A command of an epoch older than the newest one seen is refused.
//! - After the guest was stopped in epoch E, no command of epoch E or older starts it: the promise is on
//!   disk before the stop is begun, so a command that was delivered late, or twice, finds it.
//!
//! Commands of one instance come one after the other; [`Epochs`] does not guard against two at once.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use cuttle_compute_protocol::Refusal;
use cuttle_model::clock::Timestamp;
use cuttle_model::ids::{Epoch, InstanceId};
use serde::{Deserialize, Serialize};

use crate::state_dir::{StateDir, replace_file};

/// What was promised about one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// The newest epoch seen.
    pub newest: Epoch,
    /// No guest of this epoch or an older one will be started.
    pub stopped_through: Epoch,
    /// When the instance was forgotten; the promise outlives it for a while.
    pub forgotten_at: Option<Timestamp>,
}

impl Default for Promise {
    fn default() -> Self {
        Self { newest: Epoch::NONE, stopped_through: Epoch::NONE, forgotten_at: None }
    }
}

/// What a command of some epoch is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Create a guest.
    Create,
    /// Let a created guest run.
    Resume,
    /// End it.
    Stop,
    /// End it for good.
    Forget(Timestamp),
}

impl Promise {
    /// The promise after a command of `epoch` was admitted, or why it is not.
    pub fn admit(self, epoch: Epoch, intent: Intent) -> Result<Promise, Refusal> {
        if epoch < self.newest {
            return Err(Refusal::OldEpoch { newest: self.newest });
        }
        let stopped = epoch <= self.stopped_through;
        let newest = epoch;
        match intent {
            // The epoch is not older, but it is over.
            Intent::Create if stopped => Err(Refusal::OldEpoch { newest: self.newest }),
            Intent::Resume if stopped => Err(Refusal::NoGuest),
            Intent::Create | Intent::Resume => Ok(Promise { newest, forgotten_at: None, ..self }),
            Intent::Stop => Ok(Promise { newest, stopped_through: epoch, ..self }),
            Intent::Forget(now) => {
                let forgotten_at = self.forgotten_at.or(Some(now));
                Ok(Promise { newest, stopped_through: epoch, forgotten_at })
            }
        }
    }
}

/// A promise could not be kept on disk, so nothing may be done that rests on it.
#[derive(Debug, thiserror::Error)]
#[error("cannot {attempt} the epoch of instance {instance} in {}: {reason}", .path.display())]
pub struct EpochError {
    pub attempt: &'static str,
    pub instance: InstanceId,
    pub path: PathBuf,
    pub reason: String,
}

/// The promises about all instances.
#[derive(Debug, Clone)]
pub struct Epochs {
    state: StateDir,
}

impl Epochs {
    /// The promises in this directory.
    pub fn new(state: StateDir) -> Self {
        Self { state }
    }

    /// What was promised about an instance. A file that cannot be understood is an error, not "nothing".
    pub fn get(&self, instance: InstanceId) -> Result<Promise, EpochError> {
        let path = self.path(instance);
        let failed = |reason: String| EpochError { attempt: "read", instance, path: path.clone(), reason };
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Promise::default()),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Admits a command, and returns once the promise that it makes is on disk.
    pub fn admit(&self, instance: InstanceId, epoch: Epoch, intent: Intent) -> Result<Result<(), Refusal>, EpochError> {
        let known = self.get(instance)?;
        let promise = match known.admit(epoch, intent) {
            Ok(promise) => promise,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if promise != known {
            self.put(instance, promise)?;
        }
        Ok(Ok(()))
    }

    /// Removes promises about instances that were forgotten longer ago than `age`. Returns how many.
    pub fn purge(&self, now: Timestamp, age: Duration) -> io::Result<usize> {
        let mut purged = 0;
        for entry in fs::read_dir(self.state.epochs())? {
            let name = entry?.file_name();
            let Some(instance) = name.to_str().and_then(|name| name.parse::<InstanceId>().ok()) else {
                continue;
            };
            let old = |promise: Promise| promise.forgotten_at.is_some_and(|at| now.since(at) > age);
            if self.get(instance).is_ok_and(old) {
                fs::remove_file(self.path(instance))?;
                purged += 1;
            }
        }
        Ok(purged)
    }

    fn put(&self, instance: InstanceId, promise: Promise) -> Result<(), EpochError> {
        let path = self.path(instance);
        let failed = |reason: String| EpochError { attempt: "write", instance, path: path.clone(), reason };
        let bytes = serde_json::to_vec(&promise).map_err(|error| failed(error.to_string()))?;
        replace_file(&path, &bytes).map_err(|error| failed(error.to_string()))
    }

    fn path(&self, instance: InstanceId) -> PathBuf {
        self.state.epochs().join(instance.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instance() -> InstanceId {
        InstanceId::from_uuid(uuid::Uuid::from_u128(1))
    }

    fn intents() -> impl Strategy<Value = Intent> {
        prop_oneof![
            Just(Intent::Create),
            Just(Intent::Resume),
            Just(Intent::Stop),
            Just(Intent::Forget(Timestamp::from_micros(5)))
        ]
    }

    proptest! {
        #[test]
        fn epochs_only_grow_and_a_stopped_one_never_starts(commands in prop::collection::vec((0..6i64, intents()), 1..60)) {
            let mut promise = Promise::default();
            let mut stopped = Epoch(0);
            for (epoch, intent) in commands {
                let epoch = Epoch(epoch);
                let Ok(next) = promise.admit(epoch, intent) else { continue };
                prop_assert!(next.newest >= promise.newest && next.stopped_through >= promise.stopped_through);
                match intent {
                    Intent::Create | Intent::Resume => prop_assert!(epoch > stopped),
                    Intent::Stop | Intent::Forget(_) => stopped = stopped.max(epoch),
                }
                promise = next;
            }
        }
    }

    #[test]
    fn a_late_create_after_a_stop_is_refused_also_by_the_next_agent() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Epochs::new(StateDir::open(directory.path()).unwrap());
        assert_eq!(open().admit(instance(), Epoch(4), Intent::Create).unwrap(), Ok(()));
        assert_eq!(open().admit(instance(), Epoch(4), Intent::Stop).unwrap(), Ok(()));
        let refused = Err(Refusal::OldEpoch { newest: Epoch(4) });
        assert_eq!(open().admit(instance(), Epoch(4), Intent::Create).unwrap(), refused);
        assert_eq!(open().admit(instance(), Epoch(4), Intent::Resume).unwrap(), Err(Refusal::NoGuest));
        assert_eq!(open().admit(instance(), Epoch(3), Intent::Stop).unwrap(), refused);
        assert_eq!(open().admit(instance(), Epoch(4), Intent::Stop).unwrap(), Ok(()));
        assert_eq!(open().admit(instance(), Epoch(5), Intent::Create).unwrap(), Ok(()));
    }

    #[test]
    fn a_forgotten_instance_is_remembered_for_a_while() {
        let directory = tempfile::tempdir().unwrap();
        let epochs = Epochs::new(StateDir::open(directory.path()).unwrap());
        let at = Timestamp::from_micros(1_000_000);
        let day = Duration::from_secs(86_400);
        epochs.admit(instance(), Epoch(2), Intent::Forget(at)).unwrap().unwrap();
        assert_eq!(epochs.purge(at.plus(day), day).unwrap(), 0);
        assert!(epochs.admit(instance(), Epoch(2), Intent::Create).unwrap().is_err());
        assert_eq!(epochs.purge(at.plus(2 * day), day).unwrap(), 1);
        assert_eq!(epochs.get(instance()).unwrap(), Promise::default());
    }

    #[test]
    fn a_damaged_file_stops_everything() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        std::fs::write(state.epochs().join(instance().to_string()), b"{").unwrap();
        let error = Epochs::new(state).admit(instance(), Epoch(1), Intent::Create).unwrap_err();
        assert!(error.to_string().contains("cannot read the epoch of instance"), "{error}");
    }
}

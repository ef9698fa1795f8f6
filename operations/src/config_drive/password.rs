//! The administrator's password of a new guest, on its way from the request to the config drive.
//!
//! ```text
//! request ─► memory of this control node ─► config drive
//!    ▲                                          │ written
//!    └──────────── answer with the password ◄───┘
//! ```
//! It is never in the database, the journal, a log or an event. So the client is told the password only
//! after the drive holds it: a control node that dies before has told nobody, and whoever goes on makes
//! the drive without one (docs/adr/0012-admin-password.md).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cuttle_model::ids::InstanceId;
use secrecy::SecretString;
use tokio::sync::oneshot;

/// A password that shall be put on a config drive. Clones are the same one.
#[derive(Clone)]
pub struct AdminPassword(Arc<Inner>);

struct Inner {
    secret: SecretString,
    written: Mutex<Option<oneshot::Sender<()>>>,
}

/// Tells when the password is on the drive.
pub struct Delivery(oneshot::Receiver<()>);

impl AdminPassword {
    /// The password, and how to learn that it was delivered.
    pub fn new(secret: SecretString) -> (Self, Delivery) {
        let (sender, receiver) = oneshot::channel();
        (Self(Arc::new(Inner { secret, written: Mutex::new(Some(sender)) })), Delivery(receiver))
    }

    pub(super) fn secret(&self) -> &SecretString {
        &self.0.secret
    }

    /// The drive holds it.
    pub(super) fn written(&self) {
        if let Some(sender) = self.0.written.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Nobody waits any more: nobody is told the password.
            let _ = sender.send(());
        }
    }
}

/// The password is not shown.
impl std::fmt::Debug for AdminPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminPassword")
    }
}

impl Delivery {
    /// Waits until the drive holds the password. False: it does not, or not within `patience`.
    pub async fn within(self, patience: Duration) -> bool {
        matches!(tokio::time::timeout(patience, self.0).await, Ok(Ok(())))
    }
}

/// The passwords that this control node has yet to put on drives.
#[derive(Default)]
pub(crate) struct AdminPasswords(Mutex<HashMap<InstanceId, AdminPassword>>);

impl AdminPasswords {
    /// For the drive that is about to be made.
    pub fn offer(&self, instance: InstanceId, password: AdminPassword) {
        self.lock().insert(instance, password);
    }

    pub fn get(&self, instance: InstanceId) -> Option<AdminPassword> {
        self.lock().get(&instance).cloned()
    }

    /// The drive holds it, or will never be made.
    pub fn forget(&self, instance: InstanceId) {
        self.lock().remove(&instance);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceId, AdminPassword>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    fn password() -> (AdminPassword, Delivery) {
        AdminPassword::new(SecretString::from("open sesame"))
    }

    #[tokio::test]
    async fn a_password_is_told_only_after_it_was_written() {
        let (written, delivery) = password();
        written.clone().written();
        written.written();
        assert!(delivery.within(SOON).await);

        let (kept, delivery) = password();
        assert!(!delivery.within(Duration::ZERO).await);
        kept.written();

        let passwords = AdminPasswords::default();
        let (lost, delivery) = password();
        let id = InstanceId::from_uuid(uuid::Uuid::nil());
        passwords.offer(id, lost);
        passwords.forget(id);
        assert!(!delivery.within(SOON).await, "a drive that is never made answers at once");
    }

    #[test]
    fn it_is_not_shown() {
        assert_eq!(format!("{:?}", password().0), "AdminPassword");
    }
}

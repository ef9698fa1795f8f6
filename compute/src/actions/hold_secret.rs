//! Make sure that the hypervisor holds the key with which a guest reaches its disks.
//!
//! A secret of ours is put right, whatever became of it, and what had to be done is told. A secret that the
//! configuration names is looked at and never changed.

use cuttle_model::host_event::HostEventKind;
use uuid::Uuid;

use super::ActionError;
use crate::guest::Context;
use crate::hypervisor::{Healed, SecretState};
use crate::secret::{CephAccess, CephSecret};

/// Makes sure of it, before anything is started.
pub async fn run(context: &Context, access: &CephAccess) -> Result<(), ActionError> {
    match access {
        CephAccess::Own(secret) => assert(context, secret).await,
        CephAccess::Configured { client, secret } => look(context, client, *secret).await,
    }
}

/// Somebody changed a secret behind our back. If it is the one that guests are started with, it is put
/// right at once.
pub async fn after_change(context: &Context, uuid: Uuid, value_changed: bool) {
    let Some(reach) = context.storage.get() else { return };
    let CephAccess::Own(secret) = &reach.access else { return };
    if secret.uuid != uuid {
        return;
    }
    if let Err(error) = assert(context, secret).await {
        return tracing::warn!(%error, "libvirt's secret was changed, and cannot be put right yet");
    }
    if value_changed {
        tell(context, secret, "was given another value; ours was set again");
    }
}

async fn assert(context: &Context, secret: &CephSecret) -> Result<(), ActionError> {
    match context.hypervisor.assert_secret(secret).await? {
        Healed::AsExpected => {}
        Healed::Missing => tell(context, secret, "was not there; it was defined"),
        Healed::Foreign => tell(context, secret, "had another one in its place, which was replaced"),
    }
    Ok(())
}

fn tell(context: &Context, secret: &CephSecret, what: &str) {
    let message = format!("libvirt's secret {} of {} {what}", secret.uuid, secret.client);
    tracing::warn!(uuid = %secret.uuid, client = secret.client, "{message}");
    context.news.tell(HostEventKind::SecretHealed, message);
}

async fn look(context: &Context, client: &str, uuid: Uuid) -> Result<(), ActionError> {
    let problem = match context.hypervisor.look_at_secret(uuid).await? {
        SecretState::Usable => return Ok(()),
        SecretState::Missing => "does not exist",
        SecretState::NoValue => "has no value",
        SecretState::OtherUse => "is not for Ceph",
    };
    let error = ActionError::ConfiguredSecret { uuid, client: client.to_owned(), problem };
    tracing::error!(%uuid, client, "{error}");
    context.news.tell(HostEventKind::SecretUnusable, error.to_string());
    Err(error)
}

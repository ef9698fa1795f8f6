//! The cephx identities of hosts, `client.cuttle.<host>.<generation>`: made, handed out, rotated, and
//! removed when no guest uses them any more.
//!
//! Always true: an identity exists before a host is told of it; an older one is removed only after the
//! host's agent, which holds a newer one, has said which ones its guests use, and while nothing is under
//! way there; a generation is never used a second time, also not by a later host of the same name.
//!
//! A guest that runs keeps the identity with which it was started: taking that away from it would end
//! its access when it next asks Ceph for a ticket.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cuttle_compute_protocol::{CephIdentity, HEALTH_NAMESPACE, HEALTH_OBJECTS, health_object};
use cuttle_database::{BEING_REMOVED, HostRemoval};
use cuttle_model::host::{Administrative, Host, HostName};
use cuttle_model::host_event::{HostEvent, HostEventKind};
use cuttle_model::ids::HostId;
use cuttle_rbd_backend::{ClientCaps, Reason};
use secrecy::{ExposeSecret, SecretString};

use crate::{Control, HostError};

/// What this node knows of hosts' keys.
#[derive(Default)]
pub(crate) struct HostKeyring {
    /// Keys that were asked for, so that each hello does not.
    keys: Mutex<HashMap<String, SecretString>>,
    /// Hosts that are to say hello, because older identities of theirs may have become free.
    to_greet: Mutex<HashSet<HostId>>,
}

impl HostKeyring {
    /// Whether the host is to say hello; it is asked once.
    pub(crate) fn is_to_greet(&self, host: HostId) -> bool {
        locked(&self.to_greet).remove(&host)
    }
}

/// Makes the host's present identity, if there is none, and answers its key.
pub(crate) async fn present(control: &Control, host: &Host) -> Result<CephIdentity, HostError> {
    let client = host.ceph_client();
    let known = locked(&control.keyring().keys).get(&client).cloned();
    if let Some(key) = known {
        return Ok(CephIdentity { client, key: key.expose_secret().to_owned() });
    }
    let key = make(control, host, &client).await?;
    // A removal that began meanwhile may have looked for this identity before it was there.
    let being_removed = Administrative::Disabled { reason: Some(BEING_REMOVED.to_owned()) };
    if control.database().get_host(host.id).await?.is_none_or(|host| host.administrative == being_removed) {
        control.ceph().remove_client(&client).await?;
        return Err(HostError::NotFound(host.name.clone()));
    }
    Ok(CephIdentity { client, key: key.expose_secret().to_owned() })
}

/// Begins the host's next generation; answers its identity. Guests that run keep theirs; what is started
/// from now on uses the new one.
pub async fn rotate(control: &Control, name: &HostName) -> Result<String, HostError> {
    let host = find(control, name).await?;
    let not_found = || HostError::NotFound(name.clone());
    let generations = control.database().ceph_generations(host.id).await?.ok_or_else(not_found)?;
    if let Some(client) = generations.shared {
        return Err(HostError::SharedIdentity { host: host.name, client });
    }
    let next = generations.newest + 1;
    let client = host.ceph_client_of(next);
    make(control, &host, &client).await?;
    if !control.database().begin_ceph_generation(host.id, next).await? {
        return Err(HostError::Rotating(host.name));
    }
    note(control, host.id, HostEventKind::KeyRotated, format!("the host is to use {client} from now on")).await?;
    tracing::info!(host = %host.name, client, "the host's key was rotated");
    Ok(client)
}

/// Removes older identities that the host says nobody uses: `in_use` names its agent's and its guests'.
pub(crate) async fn retire(control: &Control, host: &Host, in_use: &[String]) -> Result<(), HostError> {
    let Some(generations) = control.database().ceph_generations(host.id).await? else { return Ok(()) };
    if generations.oldest == generations.newest || control.database().host_is_busy(host.id).await? {
        return Ok(());
    }
    let is_used = |generation: &i64| in_use.contains(&host.ceph_client_of(*generation));
    for generation in (generations.oldest..generations.newest).filter(|generation| !is_used(generation)) {
        let client = host.ceph_client_of(generation);
        if !control.ceph().client_exists(&client).await? {
            continue;
        }
        control.ceph().remove_client(&client).await?;
        locked(&control.keyring().keys).remove(&client);
        note(control, host.id, HostEventKind::KeyRemoved, format!("no guest uses {client} any more: it was removed")).await?;
        tracing::info!(host = %host.name, client, "an older key of the host that no guest uses was removed");
    }
    let oldest = (generations.oldest..generations.newest).find(is_used).unwrap_or(generations.newest);
    Ok(control.database().end_ceph_generations(host.id, oldest).await?)
}

/// Removes a host on which nothing is: its certificates, tokens, identities and its row, in this order, so
/// that it can get nothing anew. Safe to repeat; refused while instances are on it.
pub async fn remove(control: &Control, name: &HostName) -> Result<(), HostError> {
    let host = find(control, name).await?;
    let Some(generations) = control.database().ceph_generations(host.id).await? else {
        return Err(HostError::NotFound(name.clone()));
    };
    refused(name, control.database().begin_host_removal(host.id).await?)?;
    // One more than is on record: a rotation that was cut off may have made it.
    for generation in generations.oldest..=generations.newest + 1 {
        let client = host.ceph_client_of(generation);
        control.ceph().remove_client(&client).await?;
        locked(&control.keyring().keys).remove(&client);
    }
    forget_health(control, &host).await?;
    refused(name, control.database().delete_host(host.id).await?)?;
    tracing::info!(host = %name, "the host was removed");
    Ok(())
}

/// Removes what the host's agent has written to measure storage. A pool that is not there holds nothing of it.
async fn forget_health(control: &Control, host: &Host) -> Result<(), HostError> {
    let ceph = control.ceph();
    let Some(cluster) = ceph.cluster() else { return Ok(()) };
    let settings = control.settings();
    for pool in [&settings.vms_pool, &settings.volumes_pool] {
        let objects = (0..HEALTH_OBJECTS).map(|number| health_object(host.name.as_str(), number)).collect();
        match cluster.pool(pool).remove_objects(HEALTH_NAMESPACE, objects).await {
            Err(error) if matches!(error.reason(), Reason::NoPool) => {}
            removed => removed?,
        }
    }
    Ok(())
}

/// Now and then: has hosts with older identities say hello, which tells what their guests use.
pub(crate) async fn watch(control: &Control) {
    let mut tick = tokio::time::interval(Duration::from_secs(control.settings().key_check_seconds.max(1)));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match control.database().hosts_with_old_keys().await {
            Ok(hosts) => *locked(&control.keyring().to_greet) = hosts.into_iter().collect(),
            Err(error) => tracing::warn!(%error, "hosts with older keys could not be listed"),
        }
    }
}

async fn find(control: &Control, name: &HostName) -> Result<Host, HostError> {
    control.database().find_host(name).await?.ok_or_else(|| HostError::NotFound(name.clone()))
}

async fn make(control: &Control, host: &Host, client: &str) -> Result<SecretString, HostError> {
    let key = control.ceph().ensure_client(client, &caps(control, host)).await?;
    locked(&control.keyring().keys).insert(client.to_owned(), key.clone());
    Ok(key)
}

async fn note(control: &Control, host: HostId, kind: HostEventKind, message: String) -> Result<(), HostError> {
    let event = HostEvent { id: control.ids().uuid(), at: control.now(), kind, message };
    Ok(control.database().insert_host_event(host, &event).await?)
}

fn refused(name: &HostName, removal: HostRemoval) -> Result<(), HostError> {
    match removal {
        HostRemoval::Done => Ok(()),
        HostRemoval::NoSuchHost => Err(HostError::NotFound(name.clone())),
        HostRemoval::InUse { instances, count } => {
            let named: Vec<String> = instances.iter().map(|(id, name)| format!("{name} ({id})")).collect();
            Err(HostError::InUse { host: name.clone(), count, named: named.join(", ") })
        }
    }
}

/// What a host may do in Ceph: use disks and volumes, read images, write to its own namespace of the
/// lease pool. Creating and deleting are not among it for images; for disks RBD's profile cannot tell
/// using from deleting, which the docs' threat model says.
fn caps(control: &Control, host: &Host) -> ClientCaps {
    let settings = control.settings();
    ClientCaps {
        mon: "profile rbd".to_owned(),
        osd: format!(
            "profile rbd pool={}, profile rbd pool={}, profile rbd-read-only pool={}, allow rw pool={} namespace={}",
            settings.vms_pool, settings.volumes_pool, settings.images_pool, settings.lease_pool, host.name
        ),
        mgr: String::new(),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

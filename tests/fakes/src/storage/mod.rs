//! A cluster in memory, with as many clients as one likes: images, clones, snapshots, the trash, watchers, the blocklist.
//!
//! What it does not do: lose anything by itself, take time, or enforce users' rights. What can go wrong is asked for:
//! [`MemoryCluster::set_reachable`], [`MemoryCluster::set_full`], and the fence.

mod image;
mod open;
mod pool;
mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use cuttle_rbd_backend::{
    ClientCaps, Connect, Effect, Errno, Error, FullBecause, ImagePool, MonitorAddress, PoolCapacity, PoolUse, Reason, Storage,
};
use secrecy::SecretString;
use uuid::Uuid;

use pool::MemoryPool;
use state::{PoolState, State};

/// As much room as each pool has.
const ROOM_BYTES: u64 = 1 << 40;

/// The cluster. Clones are the same one.
#[derive(Clone, Default)]
pub struct MemoryCluster(Arc<Mutex<State>>);

/// One client of it. Clones are the same client.
#[derive(Clone)]
pub struct MemoryStorage {
    cluster: MemoryCluster,
    id: u64,
    address: String,
}

impl MemoryCluster {
    /// A new client, with an address that no other has.
    pub fn client(&self) -> MemoryStorage {
        let id = self.lock().number();
        MemoryStorage { cluster: self.clone(), id, address: format!("192.0.2.1:0/{id}") }
    }

    /// Whether calls are answered; if not, they fail as those of a cluster without quorum do.
    pub fn set_reachable(&self, reachable: bool) {
        self.lock().unreachable = !reachable;
    }

    /// Whether a pool takes no more data.
    pub fn set_full(&self, pool: &str, full: bool) {
        self.lock().pools.get_mut(pool).unwrap().full = full;
    }

    /// The clients that are fenced, by address.
    pub fn fenced(&self) -> Vec<String> {
        self.lock().fenced.iter().cloned().collect()
    }

    /// How often anything was asked of the cluster.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// What is asked, for errors.
#[derive(Clone)]
struct Call {
    action: &'static str,
    effect: Effect,
    pool: Option<String>,
    object: Option<String>,
}

impl Call {
    fn error(&self, reason: Reason) -> Error {
        Error::new(self.action, self.effect, self.pool.as_deref(), self.object.clone(), reason)
    }

    fn errno(&self, errno: i32) -> Error {
        self.error(Reason::Ceph { errno: Errno(errno), status: String::new() })
    }

    fn refused(&self, why: impl Into<String>) -> Error {
        self.error(Reason::Refused(why.into()))
    }
}

impl MemoryStorage {
    /// As Ceph names this client among an image's watchers.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// One call: it may be cut off before it does anything, and before its answer comes.
    async fn call<T>(&self, call: &Call, work: impl FnOnce(&mut State) -> Result<T, Error>) -> Result<T, Error> {
        tokio::task::yield_now().await;
        let done = {
            let mut state = self.cluster.lock();
            state.calls += 1;
            if state.unreachable {
                Err(call.error(Reason::NeverStarted { after: Duration::ZERO }))
            } else if state.fenced.contains(&self.address) {
                Err(call.errno(libc::ESHUTDOWN))
            } else {
                work(&mut state)
            }
        };
        tokio::task::yield_now().await;
        done
    }

    fn on_cluster(action: &'static str, effect: Effect, object: Option<&str>) -> Call {
        Call { action, effect, pool: None, object: object.map(str::to_owned) }
    }
}

#[async_trait]
impl Connect for MemoryCluster {
    async fn connect(&self) -> Result<Arc<dyn Storage>, Error> {
        Ok(Arc::new(self.client()))
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    fn fsid(&self) -> Uuid {
        Uuid::from_u128(0xce94)
    }

    fn client_name(&self) -> &str {
        "client.admin"
    }

    fn in_flight(&self) -> usize {
        0
    }

    fn with_timeout(&self, _timeout: Duration) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }

    fn pool(&self, name: &str) -> Arc<dyn ImagePool> {
        Arc::new(MemoryPool { storage: self.clone(), name: name.to_owned() })
    }

    async fn addresses(&self) -> Result<Vec<String>, Error> {
        Ok(vec![self.address.clone()])
    }

    async fn monitors(&self) -> Result<Vec<MonitorAddress>, Error> {
        let monitor = MonitorAddress { host: "192.0.2.1".to_owned(), port: 3300, protocol: "v2".to_owned() };
        self.call(&Self::on_cluster("list monitors", Effect::Read, None), |_| Ok(vec![monitor])).await
    }

    async fn list_pools(&self) -> Result<Vec<String>, Error> {
        self.call(&Self::on_cluster("list pools", Effect::Read, None), |state| Ok(state.pools.keys().cloned().collect())).await
    }

    async fn create_pool(&self, name: &str, _pool_use: PoolUse) -> Result<(), Error> {
        let call = Call { pool: Some(name.to_owned()), ..Self::on_cluster("make pool ready", Effect::Change, None) };
        self.call(&call, |state| {
            state.pools.entry(name.to_owned()).or_default();
            Ok(())
        })
        .await
    }

    async fn pool_capacity(&self, pool: &str) -> Result<PoolCapacity, Error> {
        let call = Call { pool: Some(pool.to_owned()), ..Self::on_cluster("read capacity", Effect::Read, None) };
        self.call(&call, |state| {
            let PoolState { full, images, .. } = state.pools.get(pool).ok_or_else(|| call.error(Reason::NoPool))?;
            let stored_bytes = images.values().map(|image| image.stored_bytes()).sum();
            Ok(PoolCapacity {
                max_avail_bytes: ROOM_BYTES,
                stored_bytes,
                full: full.then_some(FullBecause::Quota),
                nearfull: *full,
            })
        })
        .await
    }

    async fn ensure_client(&self, entity: &str, caps: &ClientCaps) -> Result<SecretString, Error> {
        let call = Self::on_cluster("make user", Effect::Change, Some(entity));
        check_entity(entity, &call)?;
        self.call(&call, |state| {
            // Base64 of whole bytes, as agents want it.
            let fresh = format!("AQ{:.31}A==", Uuid::new_v4().simple().to_string());
            let user = state.users.entry(entity.to_owned()).or_insert_with(|| (caps.clone(), fresh));
            user.0 = caps.clone();
            Ok(SecretString::from(user.1.clone()))
        })
        .await
    }

    async fn remove_client(&self, entity: &str) -> Result<(), Error> {
        let call = Self::on_cluster("remove user", Effect::Change, Some(entity));
        check_entity(entity, &call)?;
        self.call(&call, |state| {
            state.users.remove(entity);
            Ok(())
        })
        .await
    }

    async fn client_exists(&self, entity: &str) -> Result<bool, Error> {
        let call = Self::on_cluster("look for user", Effect::Read, Some(entity));
        self.call(&call, |state| Ok(state.users.contains_key(entity))).await
    }

    async fn fence(&self, addresses: &[String], _expiry: Duration) -> Result<(), Error> {
        let call = Self::on_cluster("fence", Effect::Change, Some(&addresses.join(", ")));
        for address in addresses {
            if !address.split_once('/').is_some_and(|(_, nonce)| nonce.parse::<u32>().is_ok_and(|nonce| nonce != 0)) {
                return Err(call.refused(format!("{address:?} is not the address of one client (ip:port/nonce)")));
            }
        }
        self.call(&call, |state| {
            state.fenced.extend(addresses.iter().cloned());
            let images = state.pools.values_mut().flat_map(|pool| pool.images.values_mut());
            for image in images {
                image.watchers.retain(|_, watcher| !addresses.contains(&watcher.address));
            }
            Ok(())
        })
        .await
    }
}

fn check_entity(entity: &str, call: &Call) -> Result<(), Error> {
    let name = entity.strip_prefix("client.").unwrap_or_default();
    if name.is_empty() || name == "admin" || !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        return Err(call.refused("a user's name is client.<letters, digits, dots, dashes>, and not client.admin"));
    }
    Ok(())
}

/// The images of a pool as a test looks at them, without being a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub id: String,
    pub size_bytes: u64,
    pub watchers: usize,
    pub snapshots: Vec<String>,
}

impl MemoryCluster {
    /// What a pool holds outside the trash, by name.
    pub fn images(&self, pool: &str) -> BTreeMap<String, Seen> {
        let state = self.lock();
        let Some(pool) = state.pools.get(pool) else { return BTreeMap::new() };
        let seen = |id: &String| {
            let image = &pool.images[id];
            let snapshots = image.snapshots.iter().filter(|snapshot| snapshot.of_user).map(|s| s.name.clone()).collect();
            Seen { id: id.clone(), size_bytes: image.size_bytes, watchers: image.watchers.len(), snapshots }
        };
        pool.names.iter().map(|(name, id)| (name.clone(), seen(id))).collect()
    }
}

//! Which control node this is: its id, and its connection to Ceph, which can be fenced by the address that is stored with
//! the id.
//!
//! ```text
//! join ──► a member ──► leave (orderly)
//!            │  ▲
//!   condemned,  │ rejoin: another id, another connection
//!   or fenced ▼ │
//!            a member no more: everything under way is dropped
//! ```
//! What always holds: no lease is taken before the node's addresses are stored; what a lapsed lease of another node covered
//! goes on only after Ceph refuses that node.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use cuttle_model::ids::ControlNodeId;
use cuttle_model::operation::ControlNode;
use cuttle_rbd_backend::Storage;

use crate::Control;
use crate::control::{JoinError, Parts};

/// How long a fenced node stays fenced. A process that was frozen may wake up whenever; an entry costs a line in a map.
const FENCED_FOR: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long the calls under way may take when a node leaves.
const LEAVE_PATIENCE: Duration = Duration::from_secs(5);
const LEAVE_POLL: Duration = Duration::from_millis(20);

/// This node, as it is now.
pub(crate) struct Membership(RwLock<Member>);

#[derive(Clone)]
struct Member {
    id: ControlNodeId,
    ceph: Arc<dyn Storage>,
}

impl Membership {
    /// Makes this process a control node.
    pub(crate) async fn join(parts: &Parts) -> Result<Self, JoinError> {
        let member = enter(parts, Arc::clone(&parts.ceph)).await?;
        Ok(Self(RwLock::new(member)))
    }

    pub(crate) fn id(&self) -> ControlNodeId {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()).id
    }

    pub(crate) fn ceph(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()).ceph)
    }

    fn replace(&self, member: Member) {
        *self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = member;
    }
}

/// Stores a new id with the connection's addresses.
async fn enter(parts: &Parts, ceph: Arc<dyn Storage>) -> Result<Member, JoinError> {
    let id = ControlNodeId::new(parts.ids.as_ref());
    let addresses = ceph.addresses().await?;
    let now = parts.clock.now();
    tracing::info!(node = %id, addresses = addresses.join(","), "a control node");
    let node = ControlNode { id, addresses, started_at: now, seen_at: now, condemned_at: None, fenced_at: None };
    parts.database.insert_node(&node).await?;
    Ok(Member { id, ceph })
}

/// Notes that this node lives. False: it is condemned, and must rejoin.
pub(crate) async fn is_member(control: &Control) -> bool {
    match control.database().node_seen(control.node(), control.now()).await {
        Ok(seen) => seen,
        Err(error) => {
            // Whether the leases still hold is the renewal's to find out.
            tracing::warn!(%error, "the database does not answer");
            true
        }
    }
}

/// Comes back as another node, over another connection. What was under way was dropped before. False: not now.
pub(crate) async fn rejoin(control: &Control) -> bool {
    let parts = control.parts();
    let old = control.node();
    let entered = async {
        let ceph = parts.connect.connect().await?;
        enter(parts, ceph).await
    };
    match entered.await {
        Ok(member) => {
            tracing::warn!(%old, new = %member.id, "this control node was fenced; it goes on under another identity");
            control.membership().replace(member);
            true
        }
        Err(error) => {
            tracing::error!(%error, "this control node was fenced and cannot come back yet");
            false
        }
    }
}

/// Fences nodes whose leases have run out. Where that does not work now, their operations stay theirs.
pub(crate) async fn fence_lapsed(control: &Control) {
    let database = control.database();
    let condemned = match database.condemn_nodes(control.node(), control.now()).await {
        Ok(condemned) => condemned,
        Err(error) => return tracing::warn!(%error, "control nodes could not be looked at"),
    };
    for node in condemned {
        tracing::warn!(node = %node.id, addresses = node.addresses.join(","), "fencing a control node that is silent");
        let fenced = async {
            control.ceph().fence(&node.addresses, FENCED_FOR).await?;
            Ok::<_, JoinError>(database.node_fenced(node.id, control.now()).await?)
        };
        if let Err(error) = fenced.await {
            tracing::error!(node = %node.id, %error, "could not be fenced; its operations wait");
        }
    }
}

/// Gives the leases back, once nothing that was begun here can change Ceph any more. Where something hangs they are kept:
/// whoever takes them over then fences this node first.
pub(crate) async fn leave(control: &Control, idle: impl Fn() -> bool) {
    let ceph = control.ceph();
    let quiet = async {
        while !idle() || ceph.in_flight() > 0 {
            tokio::time::sleep(LEAVE_POLL).await;
        }
    };
    if tokio::time::timeout(LEAVE_PATIENCE, quiet).await.is_err() {
        return tracing::warn!("calls to Ceph are still under way; others fence this node before they go on");
    }
    let database = control.database();
    let left = async {
        database.release_leases(control.node()).await?;
        database.delete_node(control.node()).await
    };
    if let Err(error) = left.await {
        tracing::warn!(%error, "leases could not be given back; others wait for their end");
    }
}
